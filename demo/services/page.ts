const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => escapes[c] ?? c);
}

function row(course: unknown): string {
  const { id, title, price } = Object(course) as { id?: unknown; title?: unknown; price?: unknown };
  return `<li><div><b>${escaped(String(title))}</b><span>${(Number(price) / 100).toFixed(2)} USD</span></div>
<form method="post" action="/enrol"><input type="hidden" name="course" value="${escaped(String(id))}"><button>Enrol</button></form></li>`;
}

/** The shop's one page. */
export function page(courses: readonly unknown[], note: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Campus Pay</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#1d2433;background:#fbfaf7}
h1{font-size:1.6rem;margin:0}p{color:#5b6475;margin:.2rem 0 1.5rem}ul{list-style:none;padding:0}
li{display:flex;justify-content:space-between;align-items:center;padding:1rem;margin:.6rem 0;background:#fff;border:1px solid #e6e2d8;border-radius:10px}
li span{display:block;color:#5b6475;font-size:.9rem}button{font:inherit;border:0;border-radius:8px;padding:.5rem 1rem;background:#2b5fd9;color:#fff;cursor:pointer}
output{display:block;padding:.8rem 1rem;border-radius:10px;background:#e8f0e4;margin:1rem 0}</style></head><body>
<h1>Campus Pay</h1><p>Choose a course; tuition is paid in euro, through nine services and their sidecars.</p>
${note === '' ? '' : `<output>${escaped(note)}</output>`}<ul>${courses.map(row).join('')}</ul></body></html>`;
}
