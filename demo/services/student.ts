import { call, endWith, type Reply } from './http.ts';

const courses = ['algebra', 'networks', 'poetry', 'finance'];

/**
 * Twenty requests a second, evenly: three of ten enrol, one of ten is gold. The same sequence at every start, which is
 * when the shop first sells something.
 */
export async function student(): Promise<void> {
  endWith(() => process.exit(0));
  while ((await buy(0)).status !== 201) await new Promise((resolve) => setTimeout(resolve, 500));
  const perSecond = Number(process.env.RPS ?? 20);
  let turn = 0;
  let ok = 0;
  let failed = 0;
  const once = async (): Promise<void> => {
    const n = turn++;
    const headers = n % 10 === 0 ? { 'x-tier': 'gold' } : {};
    const { status } = n % 10 < 3 ? await buy(n, headers) : await call('http://web/', headers);
    if (status >= 200 && status < 400) ok++;
    else {
      failed++;
      console.log(JSON.stringify({ message: 'failed', n, status }));
    }
  };
  setInterval(() => void once(), 1000 / perSecond);
  setInterval(() => console.log(JSON.stringify({ message: 'so far', ok, failed })), 5_000);
}

async function buy(n: number, headers = {}): Promise<Reply> {
  return await call('http://web/enrol', headers, {
    student: `s${n % 97}`,
    course: courses[n % courses.length],
  });
}
