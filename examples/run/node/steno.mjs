#!/usr/bin/env node
// Writes a text to the file `f` with steno.

const { Writer } = await import("../packages/steno-2.1.0/node_modules/steno/lib/index.js");
await new Writer("f").write(process.argv[2]);
