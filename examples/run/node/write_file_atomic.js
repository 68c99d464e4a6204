#!/usr/bin/env node
// Writes a text to the file `f` with write-file-atomic.

require("../packages/write-file-atomic-1.1.4/node_modules/write-file-atomic").sync("f", process.argv[2]);
