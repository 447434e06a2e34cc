// The npm package nats, version 2: everything in one package.
import { connect, ErrorCode, headers, RequestStrategy, ServiceError } from "nats";

import { cases } from "./cases.mjs";
import { run } from "./harness.mjs";

await run({
  connect,
  headers,
  ServiceError,
  isNoResponders: (err) => err.code === ErrorCode.NoResponders,
  services: (nc, options) => nc.services.client(options),
  answers: (n, maxWait) => ({ strategy: RequestStrategy.Count, maxMessages: n, maxWait }),
  silence: (ms, maxWait) => ({ strategy: RequestStrategy.JitterTimer, jitter: ms, maxWait }),
  jetstream: (nc) => nc.jetstream(),
  objects: (nc, bucket) => nc.jetstream().views.os(bucket),
}, cases);
