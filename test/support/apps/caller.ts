/**
 * A pod that calls without end, `RPS` times a second whatever becomes of the calls before (an open loop), the URL that stands
 * in the file `target` of its directory. Five times a second it says how that goes, in one line of JSON.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';

type Failure = { readonly at: string; readonly target: string; readonly why: string };

const perSecond = Number(process.env.RPS ?? 500);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const counts = { sent: 0, ok: 0, failed: 0 };
/** Since the target last changed. */
let answers: Record<string, number> = {};
let pods: Record<string, number> = {};
let target = '';
const failures: Failure[] = [];

function call(url: string): void {
  counts.sent++;
  let done = false;
  const end = (answer: { says: string; pod: string } | undefined, why: string): void => {
    if (done) return;
    done = true;
    if (answer !== undefined) {
      counts.ok++;
      if (url !== target) return;
      answers[answer.says] = (answers[answer.says] ?? 0) + 1;
      pods[answer.pod] = (pods[answer.pod] ?? 0) + 1;
      return;
    }
    counts.failed++;
    failures.push({ at: new Date().toISOString(), target: url, why });
    if (failures.length > 5) failures.shift();
  };
  const sent = request(url, { agent, timeout: 30_000 }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    response.on('error', (error) => end(undefined, error.message));
    response.on('end', () => {
      if (response.statusCode === 200) end(JSON.parse(text), '');
      else end(undefined, `${response.statusCode} ${text}`);
    });
  });
  sent.on('timeout', () => sent.destroy(new Error('no answer for 30 s')));
  sent.on('error', (error) => end(undefined, error.message));
  sent.end();
}

let due = 0;
let before = performance.now();
setInterval(() => {
  const now = performance.now();
  // A machine that stood still for a moment is not made to catch up at once.
  due += (Math.min(now - before, 100) / 1000) * perSecond;
  before = now;
  for (; due >= 1; due--) if (target !== '') call(target);
}, 5);

setInterval(() => {
  const next = readFileSync('target', 'utf8').trim();
  if (next !== target) {
    answers = {};
    pods = {};
  }
  target = next;
  console.log(JSON.stringify({ target, ...counts, answers, pods, failures }));
}, 200);
