// Starting and ending oracles of a test, each by its own process id.
"use strict";
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");

const [, , oracleProgram, packageTool] = process.argv;
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "hedgerow-oracle-"));
const children = new Set();

process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  fs.rmSync(directory, { recursive: true, force: true });
});

const inDirectory = (name) => path.join(directory, name);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a program to its end. */
function run(program, args, input = "") {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "pipe" });
    children.add(child);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      children.delete(child);
      resolve({ code, signal, stdout, stderr });
    });
    child.stdin.on("error", () => undefined); // it ended without reading
    child.stdin.end(input);
  });
}

/** An oracle that listens: {info, stop(signal) -> {code, signal, stderr}}. */
function startOracle(name, args) {
  return new Promise((resolve, reject) => {
    const all = ["--key-file", inDirectory(`${name}.key`), "--generate-key", ...args];
    const child = spawn(oracleProgram, all, { stdio: ["ignore", "pipe", "pipe"] });
    children.add(child);
    let stdout = "";
    let stderr = "";
    const ended = new Promise((done) =>
      child.on("close", (code, signal) => {
        children.delete(child);
        done({ code, signal, stderr });
        reject(new Error(`oracle ended with ${code}: ${stderr}`));
      })
    );
    child.stderr.on("data", (data) => (stderr += data));
    child.stdout.on("data", (data) => {
      stdout += data;
      if (!stdout.includes("\n")) return;
      const stop = (signal = "SIGTERM") => (child.kill(signal), ended);
      resolve({ info: JSON.parse(stdout.split("\n")[0]), stop, ended });
    });
  });
}

function get(url) {
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent: false }, (response) => {
        let body = "";
        response.on("data", (data) => (body += data));
        response.on("end", () => resolve({ status: response.statusCode, body: JSON.parse(body) }));
      })
      .on("error", reject);
  });
}

/** Asks until `check` returns something. */
async function until(what, check, timeoutMs = 15000) {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    const result = await check();
    if (result) return result;
    await sleep(50);
  }
  throw new Error(`timed out: ${what}`);
}

async function main(tests) {
  for (const [name, test] of Object.entries(tests)) {
    await test();
    console.log(`ok: ${name}`);
  }
}

module.exports = { oracleProgram, packageTool, inDirectory, sleep, run, startOracle, get, until, main };
