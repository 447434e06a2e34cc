// The npm package @nats-io/transport-node, version 3, and the packages that belong to it.
import { jetstream } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { ServiceError, Svcm } from "@nats-io/services";
import { connect, headers } from "@nats-io/transport-node";

import { cases } from "./cases.mjs";
import { run } from "./harness.mjs";

await run({
  connect,
  headers,
  ServiceError,
  isNoResponders: (err) => /^NoResponders/.test(err.name) || (err.isNoResponders?.() ?? false),
  services: (nc, options) => new Svcm(nc).client(options),
  answers: (n, maxWait) => ({ strategy: "count", maxMessages: n, maxWait }),
  silence: (ms, maxWait) => ({ strategy: "stall", stall: ms, maxWait }),
  jetstream,
  objects: (nc, bucket) => new Objm(nc).open(bucket),
}, cases);
