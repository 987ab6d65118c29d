import { type ProblemCode, problemCodes } from '../../model/problem.ts';
import type { Call } from '../call.ts';
import { closest } from '../closest.ts';
import { codeTexts } from '../code-texts.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { print } from '../output.ts';

/** Works offline. */
export async function run(call: Call): Promise<ExitCode> {
  const [asked] = call.args;
  const codes = asked === undefined ? allCodes : [known(asked)];
  const items = codes.map((code) => ({ code, meaning: problemCodes[code], ...codeTexts[code] }));
  const [only] = items;
  if (only && asked !== undefined && (call.format === 'table' || call.format === 'wide')) {
    call.io.stdout.write(
      `${only.code}: ${only.meaning}\n\n${only.why}\n\nfix: ${call.style.hint(only.fix)}\n`,
    );
    return exitCodes.ok;
  }
  await print(call.io, call.format, {
    data:
      asked === undefined
        ? { apiVersion: 'weft.dev/v1alpha1', kind: 'CodeList', items }
        : { apiVersion: 'weft.dev/v1alpha1', kind: 'Code', ...only },
    header: ['CODE', 'MEANING', 'FIX'],
    narrow: 2,
    rows: items.map(({ code, meaning, fix }) => [code, meaning, fix]),
    names: codes,
    empty: '',
  });
  return exitCodes.ok;
}

// The keys of `problemCodes` are what `ProblemCode` is made from.
const allCodes = Object.keys(problemCodes) as readonly ProblemCode[];

/** `1203`, `weft-1203` and `WEFT-1203` are one. */
function known(asked: string): ProblemCode {
  const full = `WEFT-${asked.toUpperCase().replace(/^WEFT-?/, '')}`;
  // Only the number tells codes apart.
  const meant = closest(numberOf(full), allCodes.map(numberOf));
  const code = allCodes.find((candidate) => candidate === full);
  if (code) return code;
  throw new CommandFailure({
    exitCode: exitCodes.notFound,
    message: `no code is called "${asked}"${meant === undefined ? '' : `; did you mean WEFT-${meant}?`}`,
    next: 'weft explain-code',
  });
}

function numberOf(code: string): string {
  return code.slice('WEFT-'.length);
}
