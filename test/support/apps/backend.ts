/** A pod that says who it is. `PORT`, else 8080; `SAYS` is part of its answer. Ends on SIGTERM when what runs has ended. */
import { createServer } from 'node:http';

const { PORT = '8080', SAYS = '', HOSTNAME = '' } = process.env;
const server = createServer((request, response) => {
  request.resume();
  const wait = Number(new URL(request.url ?? '/', 'http://here').searchParams.get('ms') ?? 0);
  setTimeout(() => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ says: SAYS, pod: HOSTNAME }));
  }, wait);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(PORT), '0.0.0.0');
process.once('SIGTERM', () => server.close(() => process.exit(0)));
