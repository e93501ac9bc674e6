// The foundry binary of a name, past the npm package's launcher: that one exits 0 whatever happened.
"use strict";
const fs = require("fs");
const path = require("path");

const ARCHITECTURE = {x64: "amd64", arm64: "arm64"};

module.exports = function foundry(name) {
    const directory = path.join(__dirname, "../../../node_modules/@foundry-rs");
    const file = path.join(directory, `${name}-${process.platform}-${ARCHITECTURE[process.arch]}/bin/${name}`);
    if (!fs.existsSync(file)) throw new Error(`${file} is missing; run npm ci --ignore-scripts`);
    return file;
};
