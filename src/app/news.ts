/** What the inside of a mesh says on its standard error: lines of JSON from rooms, and anything from a crash. */
export type News = {
  readonly hear: (line: string) => void;
  /** The newest lines worth reading when the mesh has ended. */
  readonly last: () => readonly string[];
};

const kept = 40;
/** How many different texts are remembered, so that each is told once. */
const remembered = 200;

/** `tell` gets a line for a person whenever something is wrong. */
export function createNews(tell: (text: string) => void): News {
  const lines: string[] = [];
  const told = new Set<string>();
  return {
    hear: (line) => {
      const entry = parseEntry(line);
      // The last is what unshare says when its child is killed.
      if (entry?.level === 'info' || line.startsWith('unshare: sigprocmask')) return;
      const text = entry === undefined ? line : `${entry.room}: ${entry.message}${entry.rest}`;
      if (lines.push(text) > kept) lines.shift();
      if (entry === undefined || told.has(text)) return;
      if (told.size >= remembered) told.clear();
      told.add(text);
      tell(text);
    },
    last: () => {
      // An exception is told by its first line; where it came from is for whoever reads on.
      const start = lines.findLastIndex((line) => /^[\w ]*(?:Error|Exception)\b.*:/.test(line));
      return start < 0 ? lines.slice(-5) : lines.slice(start, start + 4);
    },
  };
}

type Entry = {
  readonly level: string;
  readonly room: string;
  readonly message: string;
  readonly rest: string;
};

function parseEntry(line: string): Entry | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    // A line of JSON that begins with a brace is an object; its fields are turned into text whatever they are.
    const fields = JSON.parse(line) as Record<string, unknown>;
    const { level, room, message, time: _, ...others } = fields;
    const rest = Object.entries(others)
      .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join('');
    return { level: String(level), room: String(room), message: String(message), rest };
  } catch {
    // No entry of a log, then: shown as it is.
    return undefined;
  }
}
