#!/usr/bin/env node
// Takes the lock `f.lock` with proper-lockfile, and never gives it back.

const lockfile = require("../packages/proper-lockfile-4.1.2/node_modules/proper-lockfile");

lockfile.lock("f", { realpath: false }).then(
  () => {
    console.log("got");
    process.kill(process.pid, "SIGKILL");
  },
  () => console.log("refused"),
);
