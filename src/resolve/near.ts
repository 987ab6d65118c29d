import { compareStrings } from '../base/sorted.ts';

/** The candidate a typist most likely meant, or `''`: at most a third of the letters differ, and never more than three. */
export function nearest(name: string, candidates: Iterable<string>): string {
  const limit = Math.min(3, Math.floor(name.length / 3));
  let best = '';
  let distance = limit + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) > limit) continue;
    const d = editDistance(name, candidate);
    if (d < distance || (d === distance && d <= limit && compareStrings(candidate, best) < 0)) {
      best = candidate;
      distance = d;
    }
  }
  return best;
}

export function didYouMean(name: string, candidates: Iterable<string>): string {
  const best = nearest(name, candidates);
  return best === '' ? '' : `; did you mean \`${best}\`?`;
}

/** Insertions, deletions, replacements, one each. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
