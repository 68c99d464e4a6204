#!/usr/bin/env node
// Takes the lock `lock` with lockfile, and never gives it back.

const lockfile = require("../packages/lockfile-1.0.4/node_modules/lockfile");

try {
  lockfile.lockSync("lock", { stale: 60000 });
} catch (error) {
  console.log("refused");
  process.exit();
}
console.log("got");
process.kill(process.pid, "SIGKILL");
