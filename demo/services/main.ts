/** Campus Pay: every service is this one program, started with its role. */
const roles: Readonly<Record<string, () => Promise<void>>> = {
  web: async () => (await import('./front.ts')).web(),
  'api-gw': async () => (await import('./front.ts')).apiGateway(),
  enrol: async () => (await import('./front.ts')).enrol(),
  catalog: async () => (await import('./catalog.ts')).catalog(),
  'pay-core': async () => (await import('./pay-core.ts')).payCore(process.env.VERSION ?? 'v1'),
  fx: async () => (await import('./back.ts')).fx(),
  ledger: async () => (await import('./back.ts')).ledger(),
  notify: async () => (await import('./back.ts')).notify(),
  risk: async () => (await import('./risk.ts')).risk(),
  student: async () => await (await import('./student.ts')).student(),
  'cron-legacy': async () => (await import('./back.ts')).readLedger(),
};

const role = process.argv[2] ?? '';
const start = roles[role];
if (start === undefined) {
  console.error(`no role ${JSON.stringify(role)}; roles are ${Object.keys(roles).join(', ')}`);
  process.exit(64);
}
await start();
