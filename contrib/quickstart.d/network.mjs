// Processes of one local network: chain, oracles, nodes. Every one is a process of its own and is ended by its own pid.
import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ethers } from "ethers";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const bin = (name) => path.join(process.env.HEDGEROW_BIN ?? path.join(root, "build/release/bin"), name);
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what, timeoutMs, probe) {
  const end = Date.now() + timeoutMs;
  let last;
  while (Date.now() < end) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    await sleep(100);
  }
  throw new Error(`${what}: not within ${timeoutMs / 1000} s${last ? ` (${last.message})` : ""}`);
}

export class Process {
  constructor(name, command, args, directory, { readLine } = {}) {
    this.name = name;
    this.log = path.join(directory, `${name}.log`);
    const out = fs.openSync(this.log, "a");
    this.child = spawn(command, args, { stdio: ["ignore", readLine ? "pipe" : out, out], cwd: directory, detached: true });
    fs.closeSync(out);
    this.exited = new Promise((resolve) => this.child.once("exit", (code, signal) => resolve(code ?? signal)));
    this.child.once("error", (error) => fs.appendFileSync(this.log, `${error}\n`));
    if (readLine) {
      this.firstLine = new Promise((resolve, reject) => {
        const lines = createInterface({ input: this.child.stdout });
        lines.on("line", (line) => {
          fs.appendFileSync(this.log, `${line}\n`);
          if (readLine(line)) resolve(line);
        });
        lines.on("close", () => reject(new Error(`${name} ended before it was ready, see ${this.log}`)));
      });
    }
  }
  get pid() {
    return this.child.pid;
  }
  async stop(signal = "SIGTERM") {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    const late = sleep(10_000).then(() => this.child.exitCode === null && this.child.signalCode === null && this.child.kill("SIGKILL"));
    await Promise.race([this.exited, late]);
  }
  release() {
    this.child.unref();
    this.child.stdout?.unref?.();
  }
}

export async function startChain(directory) {
  const packages = path.join(root, "node_modules/@foundry-rs");
  const anvil = fs.readdirSync(packages).map((p) => path.join(packages, p, "bin/anvil")).find((p) => p.includes("anvil-linux") && fs.existsSync(p));
  if (!anvil) throw new Error("no Anvil: run contrib/setup");
  const chain = new Process("chain", anvil, ["--port", "0", "--block-time", "1", "--slots-in-an-epoch", "1", "--chain-id", "31337"], directory, {
    readLine: (line) => line.startsWith("Listening on"),
  });
  chain.url = `http://${(await chain.firstLine).replace("Listening on ", "").trim()}`;
  return chain;
}

const artifact = (name) => JSON.parse(fs.readFileSync(path.join(root, `channel/contract/artifact/${name}.json`), "utf8"));
export const adjudicatorAbi = () => artifact("Adjudicator").abi;
export const tokenAbi = () => artifact("TestToken").abi;

export async function deploy(name, wallet, ...args) {
  const { abi, bytecode } = artifact(name);
  const contract = await new ethers.ContractFactory(abi, bytecode, wallet).deploy(...args);
  await contract.waitForDeployment();
  return contract;
}

export async function startOracle(name, directory, startTimeMs, scenario) {
  const args = ["--key-file", path.join(directory, `${name}.key`), "--generate-key", "--generate", "--scenario", scenario, "--start-time", String(startTimeMs),
    "--publish", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0", "--history-dir", path.join(directory, `${name}.history`)];
  const oracle = new Process(name, bin("hedgerow-oracle"), args, directory, { readLine: (line) => line.startsWith("{") });
  const { publish, http: history, signer } = JSON.parse(await oracle.firstLine);
  Object.assign(oracle, { publish, http: history, signer });
  return oracle;
}

/// A watchtower with a wallet of its own; `fund` sends coins to its account before it runs.
export async function startTower(name, directory, settings, fund) {
  const datadir = path.join(directory, name);
  fs.mkdirSync(datadir, { recursive: true, mode: 0o700 });
  const password = path.join(datadir, "password");
  fs.writeFileSync(password, ethers.hexlify(ethers.randomBytes(16)), { mode: 0o600 });
  const common = ["--datadir", datadir, "--password-file", password];
  const made = execFileSync(bin("hedgerow-tower"), ["init", ...common], { encoding: "utf8" });
  const account = made.match(/^account (\S+)$/m)[1];
  await fund(account);
  const args = Object.entries({ bind: "127.0.0.1:0", http: "127.0.0.1:0", ...settings }).flatMap(([key, value]) => [value].flat().flatMap((v) => [`--${key}`, String(v)]));
  const tower = new Process(name, bin("hedgerow-tower"), ["run", ...common, ...args], directory, { readLine: (line) => line.startsWith("uri ") });
  return Object.assign(tower, { uri: (await tower.firstLine).slice(4), account });
}

export class Node {
  constructor(name, directory, settings) {
    this.name = name;
    this.datadir = path.join(directory, name);
    fs.mkdirSync(this.datadir, { recursive: true, mode: 0o700 });
    this.password = ethers.hexlify(ethers.randomBytes(16));
    fs.writeFileSync(path.join(this.datadir, "password"), this.password, { mode: 0o600 });
    settings = { ...settings, "password-file": path.join(this.datadir, "password") };
    const lines = Object.entries(settings).flatMap(([key, value]) => [value].flat().map((v) => `${key} = ${v}`));
    fs.writeFileSync(path.join(this.datadir, "hedgerow.conf"), `${lines.join("\n")}\n`, { mode: 0o600 });
    this.cookieFile = path.join(this.datadir, ".cookie");
    this.agent = new http.Agent({ keepAlive: true });
    this.directory = directory;
  }
  async start() {
    const address = path.join(this.datadir, "rpc.url");
    fs.rmSync(address, { force: true });
    this.process = new Process(this.name, bin("hedgerowd"), ["--datadir", this.datadir], this.directory);
    this.url = await until(`${this.name} starts`, 20_000, () => {
      if (this.process.child.exitCode !== null) throw new Error(`it ended, see ${this.process.log}`);
      return fs.existsSync(address) && fs.readFileSync(address, "utf8").trim();
    });
    await until(`${this.name} answers`, 20_000, () => this.call("node_info"));
  }
  post(body) {
    const cookie = Buffer.from(fs.readFileSync(this.cookieFile, "utf8").trim()).toString("base64");
    return new Promise((resolve, reject) => {
      const request = http.request(this.url, { method: "POST", agent: this.agent, headers: { "content-type": "application/json", authorization: `Basic ${cookie}` } }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => {
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString()));
          } catch {
            reject(new Error(`${this.name}: HTTP ${response.statusCode}`));
          }
        });
      });
      request.on("error", reject);
      request.end(JSON.stringify(body));
    });
  }
  async call(method, params = {}) {
    const answer = await this.post({ jsonrpc: "2.0", id: 1, method, params });
    if (answer.error) throw Object.assign(new Error(`${this.name} ${method}: ${answer.error.message}`), { rpc: answer.error });
    return answer.result;
  }
  async batch(calls) {
    const answers = await this.post(calls.map(([method, params], id) => ({ jsonrpc: "2.0", id, method, params })));
    const failed = answers.find((a) => a.error);
    if (failed) throw new Error(`${this.name} ${calls[failed.id][0]}: ${failed.error.message}`);
    return answers.sort((a, b) => a.id - b.id).map((a) => a.result);
  }
}
