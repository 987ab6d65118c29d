import type { Call } from '../call.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';

/** Each script asks the program it completes, `weft` or `./weft`, so that names are those of the mesh that runs now. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_weft() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _weft weft ./weft
`,
  zsh: `#compdef weft
_weft() {
  local -a found
  found=(\${(f)"$(\${words[1]} __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -a found
}
compdef _weft weft ./weft
`,
  fish: `function __weft_complete
  set -l words (commandline -opc) (commandline -ct)
  $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c weft -f -a '(__weft_complete)'
complete -p '*/weft' -f -a '(__weft_complete)'
`,
};

export async function run({ io, args }: Call): Promise<ExitCode> {
  io.stdout.write(scripts[args[0] ?? ''] ?? '');
  return exitCodes.ok;
}
