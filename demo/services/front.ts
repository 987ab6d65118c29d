import { call, serve } from './http.ts';
import { page } from './page.ts';

/** The shop. JSON for those who accept it, HTML for people. */
export function web(): void {
  serve(8080, async ({ method, path, headers, body, query }) => {
    const json = headers.accept === 'application/json';
    if (path === '/' && method === 'GET') {
      const { status, body: list } = await call('http://api-gw/courses', headers);
      if (status !== 200)
        return { status: 502, body: json ? list : page([], `The catalogue does not answer (${status}).`) };
      const courses = Array.isArray(list.courses) ? list.courses : [];
      return { status: 200, body: json ? list : page(courses, query.get('note') ?? '') };
    }
    if (path === '/enrol' && method === 'POST') {
      const reply = await call('http://api-gw/enrolments', headers, body);
      if (json) return { status: reply.status === 0 ? 502 : reply.status, body: reply.body };
      const note =
        reply.status === 201
          ? `Enrolled. Paid ${String(reply.body.paid)} cents EUR through pay-core ${String(reply.body.version)}; receipt ${String(reply.body.receipt)}.`
          : `Payment failed (${reply.status}).`;
      return { status: 303, body: '', location: `/?note=${encodeURIComponent(note)}` };
    }
    return { status: 404, body: { error: `nothing at ${path}` } };
  });
}

export function apiGateway(): void {
  serve(8080, async ({ method, path, headers, body }) => {
    if (path === '/courses') return pass(await call('http://catalog/courses', headers));
    if (path === '/enrolments' && method === 'POST')
      return pass(await call('http://enrol/enrolments', headers, body));
    return { status: 404, body: { error: `nothing at ${path}` } };
  });
}

export function enrol(): void {
  serve(8080, async ({ method, path, headers, body }) => {
    if (path !== '/enrolments' || method !== 'POST')
      return { status: 404, body: { error: `nothing at ${path}` } };
    const course = await call(
      `http://catalog/courses/${encodeURIComponent(String(body.course ?? ''))}`,
      headers,
    );
    if (course.status !== 200) return { status: course.status === 404 ? 404 : 502, body: course.body };
    const paid = await call('http://pay-core/payments', headers, {
      student: String(body.student ?? 'anonymous'),
      cents: course.body.price,
    });
    return paid.status === 201 ? paid : { status: 502, body: { error: 'payment failed', cause: paid } };
  });
}

function pass({ status, body }: { readonly status: number; readonly body: unknown }): {
  status: number;
  body: unknown;
} {
  return { status: status === 0 ? 502 : status, body };
}
