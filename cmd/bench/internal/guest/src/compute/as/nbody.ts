// Bodies that attract each other, in AssemblyScript. What is printed is a digest of the result.

import { Random, mix, print } from "./host";

class Body {
  x: f64 = 0; y: f64 = 0; z: f64 = 0;
  vx: f64 = 0; vy: f64 = 0; vz: f64 = 0;
  mass: f64 = 40;
}

const random = new Random(2);
const all = new Array<Body>();
for (let i = 0; i < 6; i++) {
  const b = new Body();
  if (i > 0) {
    b.x = <f64>random.below(4000) / 100 - 20;
    b.y = <f64>random.below(4000) / 100 - 20;
    b.z = <f64>random.below(4000) / 100 - 20;
    b.vx = <f64>random.below(2000) / 1000 - 1;
    b.vy = <f64>random.below(2000) / 1000 - 1;
    b.vz = <f64>random.below(2000) / 1000 - 1;
    b.mass = <f64>random.below(1000) / 20000;
  }
  all.push(b);
}

function advance(dt: f64): void {
  const n = all.length;
  for (let i = 0; i < n; i++) {
    const a = all[i];
    for (let j = i + 1; j < n; j++) {
      const b = all[j];
      const dx = a.x - b.x, dy = a.y - b.y, dz = a.z - b.z;
      const square = dx * dx + dy * dy + dz * dz;
      const pull = dt / (square * Math.sqrt(square));
      a.vx -= dx * b.mass * pull;
      a.vy -= dy * b.mass * pull;
      a.vz -= dz * b.mass * pull;
      b.vx += dx * a.mass * pull;
      b.vy += dy * a.mass * pull;
      b.vz += dz * a.mass * pull;
    }
  }
  for (let i = 0; i < n; i++) {
    const b = all[i];
    b.x += dt * b.vx;
    b.y += dt * b.vy;
    b.z += dt * b.vz;
  }
}

let digest: u64 = 1;
for (let step = 0; step < 500000; step++) {
  advance(0.001);
  if (step % 1000 == 0) for (let i = 0; i < all.length; i++) digest = mix(digest, reinterpret<u64>(all[i].x));
}
print(digest);
