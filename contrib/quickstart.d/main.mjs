// The quickstart: see contrib/quickstart. Every figure that it prints is read from a daemon's RPC or from the chain.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { ethers } from "ethers";
import { Node, Process, adjudicatorAbi, bin, deploy, root, sleep, startChain, startOracle, startTower, tokenAbi, until } from "./network.mjs";
import { expectedPayout } from "./settlement.mjs";

const usage = "usage: contrib/quickstart [--stay] [--dir DIR] | --stop DIR";
const options = { stay: false, dir: null, stop: null };
for (let i = 2; i < process.argv.length; ++i) {
  const name = process.argv[i];
  if (name === "--stay") options.stay = true;
  else if ((name === "--dir" || name === "--stop") && process.argv[i + 1]) options[name.slice(2)] = path.resolve(process.argv[++i]);
  else fail(`${name}: unknown option or missing value\n${usage}`, 2);
}

function fail(text, code = 1) {
  console.error(`quickstart: ${text}`);
  process.exit(code);
}

if (options.stop) {
  await stopNetwork(options.stop);
  process.exit(0);
}

const started = Date.now();
const seconds = () => ((Date.now() - started) / 1000).toFixed(1).padStart(6);
const say = (text) => console.log(`[${seconds()}s] ${text}`);
const head = (text) => console.log(`\n\x1b[1m[${seconds()}s] ${text}\x1b[0m`);

const dir = options.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), "hedgerow-"));
if (fs.existsSync(path.join(dir, "network.json"))) fail(`${dir} holds a network already; end it with --stop, or take another directory`, 2);
fs.mkdirSync(dir, { recursive: true, mode: 0o700 });

const kUsdc = 6;
const kMnemonic = "test test test test test test test test test test test junk"; // Anvil's own, worth nothing anywhere else
const processes = [];
const nodes = {};
let provider;
let failed = false;
const wrong = (text) => {
  failed = true;
  console.log(`\x1b[31m  WRONG: ${text}\x1b[0m`);
};

async function stopNetwork(directory) {
  const file = path.join(directory, "network.json");
  if (!fs.existsSync(file)) fail(`${file}: no such network`, 2);
  const network = JSON.parse(fs.readFileSync(file, "utf8"));
  for (const p of [...network.processes].reverse()) {
    // Only the very process that was started: a pid alone may be someone else's by now.
    let alive = false;
    try {
      alive = fs.readFileSync(`/proc/${p.pid}/stat`, "utf8").split(") ")[1].split(" ")[19] === p.startTime;
    } catch {
      alive = false;
    }
    if (!alive) continue;
    process.kill(p.pid, "SIGTERM");
    await until(`${p.name} stops`, 20_000, () => !fs.existsSync(`/proc/${p.pid}`));
    console.log(`stopped ${p.name} (${p.pid})`);
  }
  fs.rmSync(file);
}

const startTime = (pid) => fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[19];

function writeNetwork(chain, contracts) {
  const entry = (p, more = {}) => ({ name: p.name, pid: p.pid, startTime: startTime(p.pid), ...more });
  const list = processes.map((p) => {
    const node = Object.values(nodes).find((n) => n.process === p);
    return node ? entry(p, { rpcUrl: node.url, cookieFile: node.cookieFile, nodeId: node.info?.nodeId }) : entry(p, p.publish ? { publish: p.publish, http: p.http, signer: p.signer } : {});
  });
  const network = { processes: list, chain: { url: chain.url, chainId: 31337, adjudicator: contracts.adjudicator, tokens: { USDC: contracts.usdc } } };
  fs.writeFileSync(path.join(dir, "network.json"), `${JSON.stringify(network, null, 2)}\n`);
}

async function stopAll() {
  provider?.destroy();
  for (const p of [...processes].reverse()) await p.stop();
}
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, async () => {
    await stopAll();
    process.exit(130);
  });
}

// --- what is shown ------------------------------------------------------------------------------------------------------------

const usd = (text) => Number(text).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
let lastVersions = {};
async function show(channels) {
  const prices = await nodes.alice.call("oracle_prices", { feeds: ["BTC_USD", "BTC_USD-PERPETUAL"] });
  const price = prices.items.find((p) => p.feed === "BTC_USD-PERPETUAL");
  const parts = [`BTC-PERP ${price ? usd(price.price) : "-"}`];
  const now = Date.now();
  for (const [name, id] of Object.entries(channels)) {
    const c = await nodes.alice.call("channel_get", { channelId: id });
    const m = await nodes[name].call("margin_get", { channelId: id });
    const position = m.instruments.map((p) => `${Number(p.quantity) >= 0 ? "+" : ""}${p.quantity}`).join(" ") || "flat";
    const before = lastVersions[name] ?? { version: c.version, at: now - 1000 };
    const rate = ((c.version - before.version) * 1000) / Math.max(1, now - before.at);
    lastVersions[name] = { version: c.version, at: now };
    parts.push(`${name} ${position} equity ${usd(m.equity)} / need ${usd(m.maintenance)}..${usd(m.initial)} ${m.status} v${c.version} ${rate.toFixed(0)}/s`);
  }
  say(parts.join("  |  "));
}

// --- the run --------------------------------------------------------------------------------------------------------------------

async function setUp() {
  head("a chain, the contract, a token, three oracles, three nodes, a watchtower: each a process of its own");
  const chain = await startChain(dir);
  processes.push(chain);
  provider = new ethers.JsonRpcProvider(chain.url, undefined, { polling: true, pollingInterval: 200 });
  const funder = new ethers.NonceManager(ethers.HDNodeWallet.fromPhrase(kMnemonic).connect(provider));
  const [adjudicator, usdc] = await Promise.all([deploy("Adjudicator", funder), deploy("TestToken", funder, "USD Coin (test)", "USDC", kUsdc)]);
  const contracts = { adjudicator: await adjudicator.getAddress(), usdc: await usdc.getAddress() };
  say(`chain ${chain.url}, adjudicator ${contracts.adjudicator}, USDC ${contracts.usdc}`);

  const begin = Math.ceil((Date.now() + 3_000) / 1000) * 1000;
  const scenario = path.join(root, "daemon/oracle/scenarios/crash.json");
  const oracles = await Promise.all([1, 2, 3].map((i) => startOracle(`oracle${i}`, dir, begin, scenario)));
  processes.push(...oracles);
  say(`oracles ${oracles.map((o) => o.signer).join(", ")}`);

  const settings = {
    bind: "127.0.0.1:0", "rpc-bind": "127.0.0.1:0", "chain-rpc": chain.url, "chain-id": 31337, adjudicator: contracts.adjudicator, confirmations: 2, "chain-poll-ms": 250,
    asset: [`USDC,${contracts.usdc},${kUsdc},usd,0`, "ETH,native,18,ETH_USD,1000"],
    "oracle-signer": oracles.map((o) => o.signer), oracle: oracles.map((o) => `${o.publish},${o.http}`),
    "dispute-period": 20, "min-dispute-period": 10, "price-slot": 2, "price-grace": 20, "stale-penalty": 50,
    instruments: path.join(root, "contrib/instruments/perpetuals.json"), "max-in-doubt": 10_000_000,
  };
  for (const name of ["alice", "bob", "carol"]) {
    const maker = name === "alice" ? { maker: "true", "maker-spread-bps": 5, "maker-size": "BTC_USD-PERPETUAL,1" } : {};
    nodes[name] = new Node(name, dir, { ...settings, ...maker });
  }
  for (const node of Object.values(nodes)) {
    await node.start();
    processes.push(node.process);
    await node.call("wallet_create", { password: node.password });
    node.address = (await node.call("wallet_addresses")).address;
    await (await funder.sendTransaction({ to: node.address, value: ethers.parseEther("100") })).wait();
    await (await usdc.mint(node.address, ethers.parseUnits("100000", kUsdc))).wait();
    node.info = await until(`${node.name} has an identity`, 20_000, async () => {
      const info = await node.call("node_info");
      return !/^0x0+$/.test(info.nodeId) && info.chains[0].synced && info;
    });
    say(`${node.name.padEnd(5)} ${node.info.nodeId.slice(0, 18)}… pid ${node.process.pid}, owner ${node.address}`);
  }
  const { "chain-rpc": rpc, "chain-id": chainId, adjudicator: contract, confirmations, "oracle-signer": signers, oracle } = settings;
  const tower = await startTower("tower", dir, { "chain-rpc": rpc, "chain-id": chainId, adjudicator: contract, confirmations, "chain-poll-ms": 250, "chain-block-ms": 1000,
    "oracle-signer": signers, oracle, "settle-grace": 2, "dispute-budget": 1 }, async (to) => (await funder.sendTransaction({ to, value: ethers.parseEther("100") })).wait());
  processes.push(tower);
  await nodes.alice.call("tower_add", { uri: tower.uri });
  say(`tower ${tower.uri.slice(0, 18)}… pid ${tower.pid}, account ${tower.account}; alice is its client`);
  writeNetwork(chain, contracts);
  return { tower, chain, contracts, oracles, begin, adjudicator: new ethers.Contract(contracts.adjudicator, adjudicatorAbi(), provider), usdc: new ethers.Contract(contracts.usdc, tokenAbi(), provider) };
}

async function openChannels(net) {
  head("channels: bob and carol open with alice; both sides deposit");
  const funded = async (name, id, mine, theirs) =>
    until(`${name}'s channel is funded`, 60_000, async () => {
      const c = await nodes[name].call("channel_get", { channelId: id });
      const a = await nodes.alice.call("channel_get", { channelId: id });
      const ok = (view, m, t) => view.connected && view.assets.every((x, i) => x.deposited === m[i] && x.counterDeposited === t[i]);
      return ok(c, mine, theirs) && ok(a, theirs, mine);
    });
  const open = async (name, deposits) => {
    const { channelId } = await nodes[name].call("channel_open", {
      peer: nodes.alice.info.uri, deposits: [{ asset: "USDC", amount: deposits[0] }, { asset: "ETH", amount: deposits[1] }] });
    await until(`alice knows ${name}'s channel`, 20_000, () => nodes.alice.call("channel_get", { channelId }));
    await nodes.alice.call("channel_deposit", { channelId, asset: "USDC", amount: "40000" });
    await nodes.alice.call("channel_deposit", { channelId, asset: "ETH", amount: "10" });
    await funded(name, channelId, deposits, ["40000", "10"]);
    say(`${name}: ${deposits[0]} USDC and ${deposits[1]} ETH, alice: 40000 USDC and 10 ETH, channel ${channelId}`);
    return channelId;
  };
  const [bob, carol] = [await open("bob", ["20000", "4"]), await open("carol", ["10000", "2"])];
  return { bob, carol };
}

async function payments(channels) {
  head("10,000 payments, both ways at once");
  const before = (await nodes.alice.call("channel_get", { channelId: channels.bob })).version;
  const t = Date.now();
  const pay = async (node, count, batch) => {
    for (let sent = 0; sent < count; sent += batch) {
      await node.batch(Array.from({ length: batch }, (_, i) => ["pay_send", { channelId: channels.bob, asset: "USDC", amount: "0.01", clientRef: `${node.name}-${sent + i}` }]));
    }
  };
  await Promise.all([pay(nodes.alice, 6_000, 500), pay(nodes.bob, 4_000, 500)]);
  const elapsed = (Date.now() - t) / 1000;
  const after = await nodes.bob.call("channel_get", { channelId: channels.bob });
  const net = after.assets[0].net;
  say(`10,000 payments in ${elapsed.toFixed(1)} s: ${(10_000 / elapsed).toFixed(0)}/s in ${after.version - before} co-signed versions; bob's net ${net} USDC`);
  if (net !== "20") wrong(`bob should have gained 20 USDC, not ${net}`);
  const again = await nodes.alice.call("pay_send", { channelId: channels.bob, asset: "USDC", amount: "0.01", clientRef: "alice-0" });
  const same = await nodes.bob.call("channel_get", { channelId: channels.bob });
  if (same.assets[0].net !== net) wrong("a repeated clientRef paid twice");
  say(`the same clientRef again is the same payment ${again.paymentId}`);
}

async function trade(name, channelId, side, quantity) {
  const quote = await nodes[name].call("market_quote", { channelId, instrument: "BTC_USD-PERPETUAL", side, quantity });
  const fill = await nodes[name].call("market_accept", { quoteId: quote.quoteId, clientRef: `${name}-${side}-${Date.now()}` });
  say(`${name} ${side === "buy" ? "buys" : "sells"} ${fill.quantity} BTC at ${usd(fill.price)}, version ${fill.version}`);
  return fill;
}

async function trading(channels) {
  head("a swap, and perpetual trades with the market maker");
  const quote = await nodes.bob.call("swap_quote", { channelId: channels.bob, give: { asset: "ETH", amount: "0.5" }, take: { asset: "USDC" } });
  const swap = await nodes.bob.call("swap_accept", { quoteId: quote.quoteId });
  say(`bob swaps ${swap.give.amount} ETH for ${swap.take.amount} USDC at ${usd(swap.price)}`);
  await trade("bob", channels.bob, "buy", "1.5");
  await trade("carol", channels.carol, "sell", "0.2");
  await show(channels);
}

/// Keeps for the cheat what bob's node held before the crash.
async function keepOldState(channels) {
  const file = path.join(dir, "old-state.json");
  const kept = await nodes.bob.call("channel_export", { channelId: channels.bob });
  fs.writeFileSync(file, JSON.stringify(kept), { mode: 0o600 });
  say(`bob's operator keeps a copy of version ${kept.state.version}: it will be worth more than the truth`);
  return file;
}

async function crash(net, channels) {
  head("the crash: marks, a margin call, a liquidation");
  let called = false;
  let liquidated = 0;
  await until("the crash is over and bob was liquidated", 75_000, async () => {
    await show(channels);
    const m = await nodes.bob.call("margin_get", { channelId: channels.bob });
    if (m.marginCalls > 0 && !called) say(`\x1b[33mmargin call to bob: equity ${usd(m.equity)} below initial margin ${usd(m.initial)}\x1b[0m`);
    called ||= m.marginCalls > 0;
    if (m.liquidations > liquidated) {
      const trades = await nodes.bob.call("trade_list", { channelId: channels.bob, limit: 5 });
      const last = trades.items.find((x) => x.kind === "liquidation");
      if (last) say(`\x1b[31mliquidated: bob ${last.side}s ${last.quantity} BTC at ${usd(last.price)}\x1b[0m`);
      liquidated = m.liquidations;
    }
    await sleep(800);
    return called && liquidated > 0 && Date.now() > net.crashOver;
  });
  if (!called) wrong("no margin call");
}

async function verifyState(node, channelId) {
  const s = await node.call("channel_state", { channelId });
  const { domain, types, message } = s.typedData;
  for (const side of ["A", "B"]) {
    const signer = ethers.verifyTypedData(domain, types, message, s.signatures[side]);
    if (signer !== s.signers[side]) wrong(`signature ${side} on version ${s.version} is ${signer}'s`);
  }
  if (ethers.TypedDataEncoder.hash(domain, types, message) !== s.digest) wrong("the state's digest is not its EIP-712 hash");
  return s;
}

async function cooperativeClose(net, channels) {
  head("carol takes her profit and closes together with alice");
  await trade("carol", channels.carol, "buy", "0.2");
  await verifyState(nodes.carol, channels.carol);
  const c = await nodes.carol.call("channel_get", { channelId: channels.carol });
  const { txHash } = await nodes.carol.call("channel_close", { channelId: channels.carol });
  await until("the close is final", 30_000, async () => (await nodes.carol.call("channel_get", { channelId: channels.carol })).status === "closed");
  const [event] = await net.adjudicator.queryFilter(net.adjudicator.filters.Closed(channels.carol));
  const decimals = [kUsdc, 18];
  c.assets.forEach((asset, i) => {
    const paidB = ethers.formatUnits(event.args.paidB[i], decimals[i]);
    const paidA = ethers.formatUnits(event.args.paidA[i], decimals[i]);
    const same = (x, y) => ethers.parseUnits(x, decimals[i]) === ethers.parseUnits(y, decimals[i]);
    say(`${asset.asset}: channel said carol ${asset.balance}, alice ${asset.counterBalance}; chain paid carol ${paidB}, alice ${paidA}`);
    if (!same(paidB, asset.balance) || !same(paidA, asset.counterBalance)) wrong(`${asset.asset} of the cooperative close`);
  });
  return txHash;
}

/// What the tower has promised alice, checked by the command line as a third party would.
async function receipts(channelId, version) {
  const at = await until("the tower holds alice's newest state", 20_000, async () => {
    const { items } = await nodes.alice.call("tower_list");
    const held = items[0].channels.find((c) => c.channelId === channelId);
    return held?.version === version && held;
  });
  const { number, time, blobHash, signature } = at.receipt;
  say(`receipt ${number}: version ${at.version}, blob ${blobHash.slice(0, 18)}…, ${new Date(time).toISOString()}, signed ${signature.slice(0, 18)}…`);
  const file = path.join(dir, "receipts.json");
  fs.rmSync(file, { force: true });
  execFileSync(bin("hedgerow-cli"), ["--datadir", nodes.alice.datadir, "tower", "receipts", "--export", file, "--channel-id", channelId]);
  const { items } = JSON.parse(execFileSync(bin("hedgerow-cli"), ["tower", "verify", file, "--json"], { encoding: "utf8" }));
  say(`hedgerow-cli tower verify ${path.basename(file)}: version ${items[0].version} proven ${items[0].stateProven}, contradictions ${items[0].contradictions}`);
  if (items.length !== 1 || items[0].version !== version || !items[0].stateProven || items[0].contradictions !== 0) wrong("the tower's receipts");
}

async function cheat(net, channels, oldState) {
  head("bob takes the old state to the chain while alice's daemon is down; her watchtower answers");
  const terms = (await nodes.alice.call("channel_export", { channelId: channels.bob })).terms;
  const { keystore } = await nodes.bob.call("wallet_export", { password: nodes.bob.password });
  const keystoreFile = path.join(dir, "bob-keystore.json");
  fs.writeFileSync(keystoreFile, JSON.stringify(keystore), { mode: 0o600 });
  await nodes.bob.process.stop();
  await until("alice sees that bob is gone", 20_000, async () => !(await nodes.alice.call("channel_get", { channelId: channels.bob })).connected);
  const newest = await verifyState(nodes.alice, channels.bob);
  await receipts(channels.bob, newest.version);
  await nodes.alice.process.stop();
  say(`alice's daemon (pid ${nodes.alice.process.pid}) is down`);
  const cheater = new Process("cheat", process.execPath, [path.join(root, "contrib/quickstart.d/cheat.mjs"), net.chain.url, net.contracts.adjudicator, oldState, keystoreFile,
    path.join(nodes.bob.datadir, "password")], dir, { readLine: (line) => line.startsWith("{") });
  const done = JSON.parse(await cheater.firstLine);
  const block = await provider.getBlock(done.block);
  say(`a process of its own challenges with version ${done.version} (newest: ${newest.version}), tx ${done.txHash}`);
  const [responded] = await until("the tower responds", 20_000, async () => {
    const events = await net.adjudicator.queryFilter(net.adjudicator.filters.Responded(channels.bob));
    return events.length > 0 && events;
  });
  const by = (await provider.getTransaction(responded.transactionHash)).from;
  if (by !== net.tower.account) wrong(`the response is by ${by}, not by the tower`);
  say(`\x1b[32mthe watchtower responded with version ${responded.args.state.version}\x1b[0m in block ${responded.blockNumber}, ${responded.blockNumber - done.block} after the challenge`);
  if (responded.args.state.version.toString() !== newest.typedData.message.version) wrong("the response is not the newest co-signed state");
  await until("the tower settles the dispute", 90_000, async () => (await net.adjudicator.queryFilter(net.adjudicator.filters.Settled(channels.bob))).length > 0);
  say("settled; alice's daemon starts again and finds it so");
  processes.splice(processes.indexOf(nodes.alice.process), 1);
  await nodes.alice.start();
  processes.push(nodes.alice.process);
  await until("alice's daemon knows", 30_000, async () => (await nodes.alice.call("channel_get", { channelId: channels.bob })).status === "closed");
  const [settled] = await net.adjudicator.queryFilter(net.adjudicator.filters.Settled(channels.bob));
  const must = await expectedPayout(net.adjudicator, channels.bob, terms, newest.typedData.message, block.timestamp, "B");
  const price = await net.adjudicator.attested(await net.adjudicator.oracleSet(terms.oracles), ethers.encodeBytes32String("BTC_USD-PERPETUAL"), must.T);
  say(`settled at the oracles' price of slot ${must.T}: ${newest.typedData.message.positions.length} open position, BTC-PERP ${ethers.formatUnits(price.price, 8)} by ${price.signers} signers`);
  [["USDC", kUsdc], ["ETH", 18]].forEach(([symbol, decimals], i) => {
    const text = (x) => ethers.formatUnits(x, decimals);
    say(`${symbol}: must be bob ${text(must.B[i])}, alice ${text(must.A[i])}; chain paid bob ${text(settled.args.paidB[i])}, alice ${text(settled.args.paidA[i])}`);
    if (must.A[i] !== settled.args.paidA[i] || must.B[i] !== settled.args.paidB[i]) wrong(`${symbol} of the settlement`);
  });
}

/// Gas that an address paid, from every receipt of the chain.
async function gasOf(addresses) {
  const spent = Object.fromEntries(addresses.map((a) => [a, 0n]));
  const last = await provider.getBlockNumber();
  for (let n = 0; n <= last; ++n) {
    const block = await provider.getBlock(n);
    for (const hash of block.transactions) {
      const receipt = await provider.getTransactionReceipt(hash);
      if (receipt.from in spent) spent[receipt.from] += receipt.gasUsed * receipt.gasPrice;
    }
  }
  return spent;
}

async function finalBalances(net) {
  head("final balances on chain, to the unit");
  const names = Object.keys(nodes);
  const gas = await gasOf(names.map((n) => nodes[n].address));
  const closed = await net.adjudicator.queryFilter(net.adjudicator.filters.Closed());
  const settled = await net.adjudicator.queryFilter(net.adjudicator.filters.Settled());
  const deposits = await net.adjudicator.queryFilter(net.adjudicator.filters.Deposited());
  const flows = Object.fromEntries(names.map((n) => [nodes[n].address, [ethers.parseUnits("100000", kUsdc), ethers.parseEther("100")]]));
  const asset = (token) => (token === ethers.ZeroAddress ? 1 : 0);
  const before = {};
  for (const d of deposits) {
    const owner = d.args.party === 0n ? nodes.alice.address : net.ownerOf[d.args.channelId];
    const key = `${d.args.channelId}${d.args.party}${d.args.token}`;
    flows[owner][asset(d.args.token)] -= d.args.total - (before[key] ?? 0n);
    before[key] = d.args.total;
  }
  for (const e of [...closed, ...settled]) {
    for (const i of [0, 1]) {
      flows[nodes.alice.address][i] += e.args.paidA[i];
      flows[net.ownerOf[e.args.channelId]][i] += e.args.paidB[i];
    }
  }
  for (const name of names) {
    const address = nodes[name].address;
    const usdc = await net.usdc.balanceOf(address);
    const eth = await provider.getBalance(address);
    const [mustUsdc, mustEth] = [flows[address][0], flows[address][1] - gas[address]];
    const ok = usdc === mustUsdc && eth === mustEth;
    console.log(`  ${name.padEnd(6)} ${ethers.formatUnits(usdc, kUsdc).padStart(16)} USDC  ${ethers.formatEther(eth).padStart(24)} ETH  (gas ${ethers.formatEther(gas[address])})  ${ok ? "exact" : ""}`);
    if (!ok) wrong(`${name} should have ${ethers.formatUnits(mustUsdc, kUsdc)} USDC and ${ethers.formatEther(mustEth)} ETH`);
  }
  const left = [await net.usdc.balanceOf(net.contracts.adjudicator), await provider.getBalance(net.contracts.adjudicator)];
  console.log(`  contract ${ethers.formatUnits(left[0], kUsdc).padStart(14)} USDC  ${ethers.formatEther(left[1]).padStart(24)} ETH  left`);
  if (left[0] !== 0n || left[1] !== 0n) wrong("the contract kept something");
}

async function stay(net) {
  await nodes.bob.start();
  processes.splice(processes.indexOf(processes.find((p) => p.name === "bob")), 1, nodes.bob.process);
  writeNetwork(net.chain, net.contracts);
  const cli = `${path.relative(process.cwd(), bin("hedgerow-cli"))} --datadir`;
  head("the network stays up; for instance:");
  console.log(`  ${cli} ${nodes.bob.datadir} node info
  ${cli} ${nodes.bob.datadir} wallet balance
  ${cli} ${nodes.bob.datadir} channel open --peer ${nodes.alice.info.uri} --deposit USDC=500
  ${cli} ${nodes.alice.datadir} channel list
  ${cli} ${nodes.bob.datadir} oracle prices
  contrib/quickstart --stop ${dir}`);
  for (const p of processes) p.release();
}

try {
  const net = await setUp();
  const scenario = JSON.parse(fs.readFileSync(path.join(root, "daemon/oracle/scenarios/crash.json"), "utf8"));
  net.crashOver = net.begin + (scenario.crash.afterSeconds + scenario.crash.durationSeconds + 3) * 1000;
  const channels = await openChannels(net);
  net.ownerOf = { [channels.bob]: nodes.bob.address, [channels.carol]: nodes.carol.address };
  await payments(channels);
  await trading(channels);
  const oldState = await keepOldState(channels);
  await crash(net, channels);
  await cooperativeClose(net, channels);
  await cheat(net, channels, oldState);
  await finalBalances(net);
  if (options.stay && !failed) {
    await stay(net);
    process.exit(0);
  }
} catch (error) {
  failed = true;
  console.error(`\nquickstart: ${error.stack ?? error}${error.rpc ? `\n${JSON.stringify(error.rpc)}` : ""}\nlogs are in ${dir}`);
}
await stopAll();
if (failed) console.error(`\nFAILED. The logs are in ${dir}`);
else {
  console.log(`\nAll balances are exact. ${seconds().trim()} s.`);
  if (!options.dir) fs.rmSync(dir, { recursive: true, force: true });
  else fs.rmSync(path.join(dir, "network.json"), { force: true });
}
process.exit(failed ? 1 : 0);
