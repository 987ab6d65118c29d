/** What the program's end says to a script. The numbers are a promise; `weft help exit-codes` prints this table. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  problems: 2,
  different: 3,
  notFound: 4,
  timeout: 5,
  usage: 64,
  badInput: 65,
  unreachable: 69,
  noPermission: 77,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export const exitCodeTexts: Readonly<Record<keyof typeof exitCodes, string>> = {
  ok: 'everything went well; also when Ctrl-C ended weft up, or a mesh that was watched ended in order',
  failure: 'something failed; the message says what',
  problems: 'the checks ran and found problems, or an object is not accepted or rejected',
  different: 'the diff is not empty',
  notFound: 'no such object, workload, story or code',
  timeout: 'what was waited for did not happen in time',
  usage: 'the command line is wrong',
  badInput: 'the YAML given is wrong; nothing was written',
  unreachable: 'no mesh is running there, or it does not answer; what was watched was lost',
  noPermission: 'the mesh belongs to another user',
  interrupted: 'ended by Ctrl-C (but weft up, which is there to be ended so: 0)',
};
