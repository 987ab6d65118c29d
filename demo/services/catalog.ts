import { serve } from './http.ts';

/** Prices are cents of US dollars. */
const courses = [
  { id: 'algebra', title: 'Linear Algebra', price: 12_999 },
  { id: 'networks', title: 'Computer Networks', price: 18_950 },
  { id: 'poetry', title: 'Modern Poetry', price: 7_505 },
  { id: 'finance', title: 'Corporate Finance', price: 23_333 },
];

export function catalog(): void {
  serve(8080, ({ path }) => {
    if (path === '/courses') return { status: 200, body: { courses } };
    const course = courses.find(({ id }) => path === `/courses/${id}`);
    return course === undefined
      ? { status: 404, body: { error: `no course at ${path}` } }
      : { status: 200, body: course };
  });
}
