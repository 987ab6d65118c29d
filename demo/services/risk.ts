import {
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { endWith } from './http.ts';

type Check = { readonly student: string; readonly cents: number };

const json = {
  serialize: (value: unknown): Buffer => Buffer.from(JSON.stringify(value)),
  deserialize: (bytes: Buffer): Check => JSON.parse(bytes.toString()) as Check,
};

const service: ServiceDefinition = {
  check: {
    path: '/campus.risk.v1.Risk/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: json.serialize,
    requestDeserialize: json.deserialize,
    responseSerialize: json.serialize,
    responseDeserialize: json.deserialize,
  },
};

/** Scores payments over gRPC. With FLAKY=n every n-th answer is UNAVAILABLE. */
export function risk(): void {
  const every = Number(process.env.FLAKY ?? 0);
  let calls = 0;
  const server = new Server();
  server.addService(service, {
    check: (_: unknown, done: (error: { code: number; details: string } | null, value?: unknown) => void) => {
      calls++;
      if (every > 0 && calls % every === 0)
        done({ code: status.UNAVAILABLE, details: 'the model is being reloaded' });
      else done(null, { ok: true });
    },
  });
  server.bindAsync('0.0.0.0:9090', ServerCredentials.createInsecure(), (error) => {
    console.log(
      JSON.stringify(error === null ? { message: 'listening', port: 9090 } : { error: error.message }),
    );
  });
  endWith(() => server.tryShutdown(() => process.exit(0)));
}

/** `ok`, or why not. */
export function checkRisk(target: string): (check: Check) => Promise<string> {
  const Client = makeGenericClientConstructor(service, 'Risk');
  const client = new Client(target, credentials.createInsecure());
  return (check) =>
    new Promise((resolve) => {
      client.makeUnaryRequest(
        '/campus.risk.v1.Risk/Check',
        json.serialize,
        json.deserialize,
        check,
        { deadline: Date.now() + 5_000 },
        (error) => resolve(error === null ? 'ok' : `${error.code} ${error.details}`),
      );
    });
}
