#!/usr/bin/env node
// Writes a secret to the file `out`, in the way that is asked for.

const fs = require("node:fs");

const secret = "secret";

const ways = {
  // As it was published: look, then write to whatever is there.
  checkThenWrite() {
    if (fs.existsSync("out")) throw new Error("out exists");
    fs.writeFileSync("out", secret, { mode: 0o600 });
    fs.chmodSync("out", 0o600);
  },

  // As it was proposed in review: refuse links, then write to whatever is there.
  lstatThenWrite() {
    const found = fs.lstatSync("out", { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) throw new Error("out is a link");
    if (fs.existsSync("out")) throw new Error("out exists");
    fs.writeFileSync("out", secret, { mode: 0o600 });
    fs.chmodSync("out", 0o600);
  },

  // As it was merged: refuse links, and create a file that was not there.
  lstatThenCreate() {
    const found = fs.lstatSync("out", { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) throw new Error("out is a link");
    if (found) throw new Error("out exists");
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
    const file = fs.openSync("out", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    fs.writeFileSync(file, secret);
    fs.closeSync(file);
  },
};

try {
  ways[process.argv[2]]();
  console.log("saved");
} catch (error) {
  console.log("refused");
}
