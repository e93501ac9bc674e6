// Byte-exactness, both ways: RedStone's own library reads what hedgerow-oracle signs, and the core reads what the library serialised and
// signed; where one of them recovers another signer from an altered package, so does the other.
"use strict";
const assert = require("node:assert");
const crypto = require("node:crypto");
const { hexlify, concat, arrayify, computeAddress } = require(`${ethers5()}/lib/utils`);
const redstone = require("@redstone-finance/protocol");
const { packageTool, run, startOracle, get, until, main } = require("./support.js");

/** The ethers 5 that the library itself uses. */
function ethers5() {
  const path = require("node:path");
  return path.dirname(require.resolve("ethers/package.json", { paths: [require.resolve("@redstone-finance/protocol")] }));
}

const seed = process.env.HEDGEROW_TEST_SEED ?? crypto.randomBytes(8).toString("hex");
console.log(`seed ${seed} (HEDGEROW_TEST_SEED)`);
let counter = 0;
const random = (bytes) => crypto.createHash("sha512").update(`${seed}/${counter++}`).digest().subarray(0, bytes);
const randomInt = (below) => Number(random(6).readUIntBE(0, 6) % below);

/** One of our packages inside the payload that RedStone's parser takes. */
function parseOurs(packageHex) {
  const payload = concat([packageHex, "0x0001", "0x000000", redstone.consts.REDSTONE_MARKER_HEX]);
  const { signedDataPackages, remainderPrefix } = redstone.RedstonePayload.parse(payload);
  assert.strictEqual(signedDataPackages.length, 1);
  assert.strictEqual(remainderPrefix.length, 0);
  return signedDataPackages[0];
}

async function ask(packages) {
  const { stdout, code } = await run(packageTool, [], packages.map((p) => p + "\n").join(""));
  assert.strictEqual(code, 0);
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
}

function randomPackage(longestName = 40) {
  const points = [];
  for (let i = 0, n = 1 + randomInt(5); i < n; ++i) {
    const length = 4 + randomInt(longestName - 3); // above 31 bytes the id is a hash
    const dataFeedId = (`F${i}_` + random(length).toString("hex")).slice(0, length);
    const value = `${randomInt(1e9)}.${String(randomInt(1e8)).padStart(8, "0")}`;
    points.push(new redstone.NumericDataPoint({ dataFeedId, value }));
  }
  const timestamp = randomInt(2 ** 47);
  return new redstone.DataPackage(points, timestamp, "test");
}

main({
  "the library reads what the oracle signs": async () => {
    const oracle = await startOracle("a", ["--generate", "--noise-bps", "0"]);
    const latest = await until("prices of every feed", async () => {
      const { body } = await get(`${oracle.info.http}/v1/latest`);
      return body.items.length === oracle.info.feeds.length && body;
    });
    assert.ok(latest.items.length >= 7);
    for (const item of latest.items) {
      const parsed = parseOurs(item.package);
      assert.strictEqual(parsed.recoverSignerAddress().toLowerCase(), oracle.info.signer);
      assert.strictEqual(hexlify(parsed.toBytes()), item.package);
      assert.strictEqual(parsed.dataPackage.timestampMilliseconds, item.timestampMs);
      assert.strictEqual(item.timestampMs % oracle.info.intervalMs, 0);
      const [point] = parsed.dataPackage.dataPoints;
      assert.strictEqual(parsed.dataPackage.dataPoints.length, 1);
      assert.strictEqual(point.dataFeedId, item.feed);
      // What the library itself makes of the same price and time is the same package.
      const numeric = new redstone.NumericDataPoint({ dataFeedId: item.feed, value: item.price });
      const rebuilt = new redstone.DataPackage([numeric], item.timestampMs, item.feed);
      assert.strictEqual(hexlify(rebuilt.toBytes()), item.package.slice(0, -130));
      assert.deepStrictEqual(point.value, numeric.value);
    }
    const { code } = await oracle.stop();
    assert.strictEqual(code, 0);
  },

  "the core reads what the library signed": async () => {
    const packages = [];
    const expected = [];
    for (let i = 0; i < 200; ++i) {
      const key = hexlify(random(32));
      const data = randomPackage();
      const signed = data.sign(key);
      packages.push(hexlify(signed.toBytes()));
      const points = Object.fromEntries(
        data.dataPoints.map((p) => [hexlify(p.serializeDataFeedId()), BigInt(hexlify(p.value)).toString()])
      );
      expected.push({ signer: computeAddress(key), timestampMs: data.timestampMilliseconds, points, again: packages[i] });
    }
    assert.deepStrictEqual(await ask(packages), expected);
  },

  "both see the same signer in an altered package, or none": async () => {
    const packages = [];
    const signers = [];
    for (let i = 0; i < 200; ++i) {
      const bytes = randomPackage(31).sign(hexlify(random(32))).toBytes(); // the library's parser reads ids as text
      // A byte of a value, the timestamp or r: the frame stays whole.
      const places = [63, bytes.length - 65 - 8, bytes.length - 65 + randomInt(32)];
      bytes[places[randomInt(places.length)]] ^= 1 << randomInt(8);
      packages.push(hexlify(bytes));
      try {
        signers.push(parseOurs(hexlify(bytes)).recoverSignerAddress());
      } catch {
        signers.push(undefined);
      }
    }
    const seen = await ask(packages);
    for (let i = 0; i < packages.length; ++i) {
      if (signers[i] === undefined) assert.strictEqual(seen[i].error, "bad_signature", packages[i]);
      else assert.strictEqual(seen[i].signer, signers[i], packages[i]);
    }
  },

  "refused by name": async () => {
    const data = new redstone.DataPackage([new redstone.StringDataPoint({ dataFeedId: "A", value: "text" })], 1000, "A");
    const whole = arrayify(data.sign(hexlify(random(32))).toBytes());
    const single = randomPackage().sign(hexlify(random(32))).toBytes();
    const answers = await ask([hexlify(whole), hexlify(single.slice(0, -65)), hexlify(single.slice(1)), "0x"]);
    assert.deepStrictEqual(
      answers.map((a) => a.error),
      ["package_malformed", "package_unsigned", "package_malformed", "package_malformed"]
    );
  },
}).catch((error) => {
  console.error(error);
  process.exit(1);
});
