/** Changed lines with three unchanged ones around them, as `diff -u` shows them; `''` for equal texts. */
export function unifiedDiff(before: string, after: string): string {
  const [a, b] = [linesOf(before), linesOf(after)];
  const edits = editsBetween(a, b);
  if (edits.every(({ sign }) => sign === ' ')) return '';
  const near = (index: number): boolean =>
    edits.slice(Math.max(0, index - 3), index + 4).some(({ sign }) => sign !== ' ');
  const shown: string[] = [];
  let gap = false;
  edits.forEach(({ sign, line }, index) => {
    if (near(index)) {
      if (gap && shown.length > 0) shown.push('  …');
      gap = false;
      shown.push(`${sign} ${line}`);
    } else {
      gap = true;
    }
  });
  return shown.map((line) => `${line}\n`).join('');
}

type Edit = { readonly sign: ' ' | '-' | '+'; readonly line: string };

/** Longest common subsequence; manifests are short. */
function editsBetween(a: readonly string[], b: readonly string[]): readonly Edit[] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    const row = lengths[i] ?? [];
    for (let j = b.length - 1; j >= 0; j -= 1) {
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      edits.push({ sign: ' ', line: a[i] ?? '' });
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1))) {
      edits.push({ sign: '-', line: a[i] ?? '' });
      i += 1;
    } else {
      edits.push({ sign: '+', line: b[j] ?? '' });
      j += 1;
    }
  }
  return edits;
}

function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}
