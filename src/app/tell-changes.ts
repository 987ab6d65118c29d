import type { ObjectList, ProblemList } from '../admin/types.ts';
import { sleep } from '../base/time.ts';
import { createChanges, type Observed } from './changes.ts';
import type { Run } from './up.ts';
import { askText } from './up-progress.ts';

const calm = 1_000;
const busy = 300;

/** A line for each change that matters, for as long as the mesh runs. Asks for little until a counter says that something happened. */
export async function tellChanges(say: Run['say'], sockets: string, signal: AbortSignal): Promise<void> {
  const socket = `${sockets}/control-plane.admin.sock`;
  const compare = createChanges();
  let counters: string | undefined;
  let settled = false;
  while (!signal.aborted) {
    const now = await askText(socket, '/metrics');
    if (now !== undefined && (!settled || now !== counters)) {
      const observed = await observe(socket);
      if (observed !== undefined && !signal.aborted) {
        counters = now;
        const news = compare(observed);
        settled = news.settled;
        for (const { mark, text } of news.changes) say(mark, text);
      }
    }
    await sleep(settled ? calm : busy, signal);
  }
}

/** `undefined` when nobody answers, or a control plane that has not read the directory yet. */
async function observe(socket: string): Promise<Observed | undefined> {
  const [objects, problems] = await Promise.all([
    askText(socket, '/v1/objects'),
    askText(socket, '/v1/problems'),
  ]);
  if (objects === undefined || problems === undefined) return undefined;
  // Both are answers of this very program.
  const { items } = JSON.parse(objects) as ObjectList;
  // As above.
  const all = JSON.parse(problems) as ProblemList;
  if (items.length === 0 && (await askText(socket, '/healthz')) === undefined) return undefined;
  return { objects: items, problems: all.items };
}
