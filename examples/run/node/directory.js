#!/usr/bin/env node
// Makes a directory, in the way that is asked for.

const fs = require("node:fs");

const ways = {
  lookThenMake() {
    if (!fs.existsSync("a")) fs.mkdirSync("a");
  },
  recursive() {
    fs.mkdirSync("a/b", { recursive: true });
  },
};

ways[process.argv[2]]();
