#!/usr/bin/env node
// Says "got" if it has made the lock file, in the way that is asked for.

const fs = require("node:fs");

const ways = {
  exists() {
    if (fs.existsSync("lock")) throw new Error("locked");
    fs.writeFileSync("lock", "");
  },
  exclusive() {
    fs.writeFileSync("lock", "", { flag: "wx" });
  },
};

try {
  ways[process.argv[2]]();
  console.log("got");
} catch (error) {
  console.log("locked");
}
