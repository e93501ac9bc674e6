// hedgerow-oracle as a process: sets of oracles that agree, slot times, restarts, and mistakes by name.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const { oracleProgram, inDirectory, sleep, run, startOracle, get, until, main } = require("./support.js");

/** The price inside a single-point package. */
const priceOf = (hex) => BigInt("0x" + hex.slice(2 + 64, 2 + 128));
const timeOf = (hex) => parseInt(hex.slice(2 + 128, 2 + 140), 16);

main({
  "three oracles of one seed agree up to their noise, at the same times": async () => {
    const startTime = Math.ceil(Date.now() / 1000) * 1000 + 1000;
    const args = ["--generate", "--seed", "5", "--start-time", String(startTime), "--noise-bps", "2", "--crash-after", "1"];
    const oracles = await Promise.all(["a", "b", "c"].map((name) => startOracle(name, args)));
    assert.strictEqual(new Set(oracles.map((o) => o.info.signer)).size, 3);
    for (const oracle of oracles) assert.strictEqual(oracle.info.startTimeMs, startTime);
    const waiting = await get(`${oracles[0].info.http}/healthz`);
    assert.strictEqual(waiting.status, 200);
    const slot = startTime / 1000 + 2;
    for (const feed of oracles[0].info.feeds) {
      const prices = [];
      for (const oracle of oracles) {
        const { body } = await until(`${feed} at ${slot}`, async () => {
          const answer = await get(`${oracle.info.http}/v1/packages?feed=${feed}&time=${slot}`);
          return answer.status === 200 && answer;
        });
        assert.strictEqual(body.packages.length, 1);
        assert.strictEqual(timeOf(body.packages[0]), slot * 1000);
        prices.push(priceOf(body.packages[0]));
      }
      const [low, , high] = prices.sort((x, y) => (x < y ? -1 : 1));
      assert.ok((high - low) * 10000n <= low * 5n, `${feed}: ${prices}`); // 2 bps either side
      assert.ok(high > low, `${feed}: no noise`);
    }
    for (const ended of await Promise.all(oracles.map((oracle) => oracle.stop()))) {
      assert.strictEqual(ended.code, 0);
      assert.ok(ended.stderr.includes('"event":"stopped"'));
    }
  },

  "history survives kill -9, and no time is signed twice": async () => {
    const args = ["--generate", "--history-dir", inDirectory("history"), "--noise-bps", "0", "--feeds", "BTC_USD"];
    const first = await startOracle("d", args);
    const kept = await until("a slot package", async () => {
      const time = Math.floor(Date.now() / 1000) - 1;
      const answer = await get(`${first.info.http}/v1/packages?feed=BTC_USD&time=${time}`);
      return answer.status === 200 && answer.body;
    });
    await first.stop("SIGKILL");
    // Another seed: whatever it signs differs from what was signed before.
    const second = await startOracle("d", [...args, "--seed", "99"]);
    const again = await get(`${second.info.http}/v1/packages?feed=BTC_USD&time=${kept.time}`);
    assert.deepStrictEqual(again.body, kept);
    assert.strictEqual(second.info.signer, first.info.signer);
    const locked = await run(oracleProgram, ["--key-file", inDirectory("d.key"), ...args]);
    assert.strictEqual(locked.code, 1);
    assert.ok(locked.stderr.includes("history_locked"));
    await second.stop();
  },

  "a recording is replayed at its speed, and ends": async () => {
    const csv = inDirectory("prices.csv");
    const rows = [0, 1, 2, 3].map((i) => `${1600000000000 + i * 60000},${100 + i},${100 + i},${100 + i},${100 + i},1`);
    fs.writeFileSync(csv, "ts_ms,open,high,low,close,volume\n" + rows.join("\n") + "\n");
    const oracle = await startOracle("e", ["--replay", csv, "--speed", "60", "--noise-bps", "0"]);
    assert.deepStrictEqual(oracle.info.feeds, ["BTC_USD", "USDC_USD", "BTC_USD-PERPETUAL", "BTC_USD-26MAR27"]);
    const seen = new Set();
    let open = true;
    oracle.ended.then(() => (open = false));
    while (open) {
      await get(`${oracle.info.http}/v1/latest?feeds=BTC_USD`).then(
        (answer) => answer.status === 200 && seen.add(Math.trunc(Number(answer.body.items[0].price))),
        () => undefined
      );
      await sleep(100);
    }
    const ended = await oracle.ended;
    assert.strictEqual(ended.code, 0);
    assert.ok(ended.stderr.includes("recording_ended"));
    assert.deepStrictEqual([...seen], [100, 101, 102, 103]);
  },

  "HTTP mistakes have names": async () => {
    const oracle = await startOracle("f", ["--generate"]);
    const name = async (path) => {
      const { status, body } = await get(oracle.info.http + path);
      return `${status} ${body.error?.name}`;
    };
    assert.strictEqual(await name("/"), "404 path_unknown");
    assert.strictEqual(await name("/v1/packages?feed=BTC_USD"), "400 time_malformed");
    assert.strictEqual(await name("/v1/packages?time=5"), "400 feed_malformed");
    assert.strictEqual(await name("/v1/packages?feed=BTC_USD&time=-1"), "400 time_malformed");
    assert.strictEqual(await name("/v1/packages?feed=BTC_USD&time=5&x=1"), "400 parameter_unknown");
    assert.strictEqual(await name("/v1/packages?feed=BTC_USD&time=5"), "404 package_unknown");
    assert.strictEqual(await name("/v1/latest?feeds=a%20b"), "400 feed_malformed");
    assert.strictEqual(await name("/v1/latest?feeds=NOT_THERE"), "404 feed_unknown");
    assert.strictEqual(await name("/v1/latest?feeds=" + "A,".repeat(100)), "400 list_too_long");
    const clash = await run(oracleProgram, [
      "--key-file", inDirectory("f.key"), "--generate", "--http", oracle.info.http.replace("http://", ""),
    ]);
    assert.strictEqual(clash.code, 1);
    await oracle.stop("SIGINT");
  },

  "mistakes on the command line": async () => {
    const key = ["--key-file", inDirectory("g.key")];
    const code = async (...args) => (await run(oracleProgram, args)).code;
    assert.strictEqual(await code(...key, "--generate-key", "--show-address"), 0);
    assert.strictEqual(fs.statSync(inDirectory("g.key")).mode & 0o777, 0o600);
    const alone = await run(oracleProgram, ["--generate-key", "--key-file", inDirectory("h.key")]);
    assert.strictEqual(alone.code, 0);
    assert.match(alone.stdout, /^0x[0-9a-f]{40}\n$/);
    assert.strictEqual(await code("--help"), 0);
    assert.strictEqual(await code("--version"), 0);
    for (const wrong of [
      [], ["--unknown"], ["--generate"], [...key], [...key, "--generate", "--replay", "x.csv"],
      [...key, "--generate", "--interval-ms", "5"], [...key, "--generate", "--noise-bps", "-1"],
      [...key, "--generate", "--crash-size", "0.2"], [...key, "--generate", "--crash-after", "x"],
      [...key, "--generate", "--start-time", "tomorrow"], [...key, "--generate", "--start-time", "2021-02-30T00:00:00Z"],
      [...key, "--generate", "--http", "127.0.0.1"], [...key, "--generate", "--publish", "ipc:///tmp/x"],
      [...key, "--generate", "--history", "0:5"], [...key, "--generate", "--price", "BTC_USD"],
      [...key, "--generate", "--price", "NOT_USD=5"], [...key, "--generate", "--feeds", "A B"], [...key, "--scenario", "absent.json"],
      [...key, "--generate", "--history-dir", "/proc/none"],
    ]) {
      const result = await run(oracleProgram, wrong);
      assert.strictEqual(result.code, 2, `${wrong.join(" ")}: ${result.stderr}`);
      assert.ok(result.stderr.startsWith("hedgerow-oracle: "), result.stderr);
    }
    assert.strictEqual(await code(...key, "--generate", "--feeds", "SOL_USD"), 1);
    assert.strictEqual(await code("--key-file", inDirectory("absent.key"), "--generate"), 1);
    fs.chmodSync(inDirectory("g.key"), 0o644);
    const open = await run(oracleProgram, [...key, "--generate"]);
    assert.strictEqual(open.code, 1);
    assert.ok(open.stderr.includes("others can read it"));
    const secret = "zz" + fs.readFileSync(inDirectory("g.key"), "utf8").slice(2);
    fs.writeFileSync(inDirectory("bad.key"), secret, { mode: 0o600 });
    const bad = await run(oracleProgram, ["--key-file", inDirectory("bad.key"), "--generate"]);
    assert.strictEqual(bad.code, 1);
    assert.ok(bad.stderr.includes("not 64 hex digits"));
    assert.ok(!bad.stderr.includes(secret.slice(10, 20)));
  },
}).catch((error) => {
  console.error(error);
  process.exit(1);
});
