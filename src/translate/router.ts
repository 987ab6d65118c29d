import { RouterSchema } from '../../gen/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { httpFilter } from './envoy/any.ts';
import type { HttpFilterMaker } from './http-filters.ts';

const router = httpFilter('envoy.filters.http.router', RouterSchema, {});

export const routerFilter: HttpFilterMaker = () => router;
