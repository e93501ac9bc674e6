// What a third party does with the file of `hedgerow-cli tower receipts`: checks it with nothing of ours, but spec 10, node:crypto and ethers.
//   node check_bundle.js FILE          one line a proof; exit code 1 and the reason where something does not hold
"use strict";
const fs = require("node:fs");
const crypto = require("node:crypto");
const { ethers } = require("ethers");

class Wrong extends Error {}
const must = (condition, text) => {
  if (!condition) throw new Wrong(text);
};
const bytes = (hex) => Buffer.from(ethers.getBytes(hex));
const keccak = (...parts) => ethers.keccak256(Buffer.concat(parts));

/// LEB128, as spec 6.1 writes numbers.
function varint(value) {
  const out = [];
  let rest = BigInt(value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Buffer.from(out);
}

const receiptBody = (r) =>
  Buffer.concat([bytes(r.tower), bytes(r.client), bytes(r.locator), varint(r.number), varint(r.version), bytes(r.blobHash), bytes(r.previous), varint(r.time)]);
const receiptHash = (r) => keccak(receiptBody(r), bytes(r.signature));

function checkReceipt(r) {
  const key = crypto.createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: bytes(r.tower).toString("base64url") }, format: "jwk" });
  const text = Buffer.concat([Buffer.from("Hedgerow\0tower receipt\0"), receiptBody(r)]);
  must(crypto.verify(null, text, key, bytes(r.signature)), "a receipt is not signed by the tower");
  must(receiptHash(r) === r.hash, "a receipt's hash is wrong");
}

/// draft-irtf-cfrg-xchacha: the subkey of XChaCha20 from the nonce's first 16 bytes.
function hchacha20(key, nonce16) {
  const s = new Uint32Array(16);
  s.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  for (let i = 0; i < 8; ++i) s[4 + i] = key.readUInt32LE(4 * i);
  for (let i = 0; i < 4; ++i) s[12 + i] = nonce16.readUInt32LE(4 * i);
  const rotate = (x, n) => (x << n) | (x >>> (32 - n));
  const quarter = (a, b, c, d) => {
    s[a] += s[b]; s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d]; s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b]; s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d]; s[b] = rotate(s[b] ^ s[c], 7);
  };
  for (let i = 0; i < 10; ++i) {
    quarter(0, 4, 8, 12); quarter(1, 5, 9, 13); quarter(2, 6, 10, 14); quarter(3, 7, 11, 15);
    quarter(0, 5, 10, 15); quarter(1, 6, 11, 12); quarter(2, 7, 8, 13); quarter(3, 4, 9, 14);
  }
  const out = Buffer.alloc(32);
  [0, 1, 2, 3, 12, 13, 14, 15].forEach((word, i) => out.writeUInt32LE(s[word] >>> 0, 4 * i));
  return out;
}

function openBlob(blob, key, locator, version) {
  const nonce = blob.subarray(0, 24);
  const associated = Buffer.alloc(40);
  locator.copy(associated);
  associated.writeBigUInt64BE(BigInt(version), 32);
  const subkey = hchacha20(key, nonce.subarray(0, 16));
  const cipher = crypto.createDecipheriv("chacha20-poly1305", subkey, Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]), { authTagLength: 16 });
  cipher.setAAD(associated);
  cipher.setAuthTag(blob.subarray(blob.length - 16));
  let plain;
  try {
    plain = Buffer.concat([cipher.update(blob.subarray(24, blob.length - 16)), cipher.final()]);
  } catch {
    throw new Wrong("the blob does not open with the key of that secret");
  }
  const length = plain.readUInt32BE(0);
  must(length <= plain.length - 4 && plain.subarray(4 + length).every((b) => b === 0), "the blob is not padded with zeros");
  return plain.subarray(4, 4 + length);
}

const channelTypes = {
  Asset: [["address", "token"], ["bytes32", "feed"], ["uint8", "decimals"], ["uint16", "haircutBps"]],
  Channel: [["address", "ownerA"], ["address", "signerA"], ["address", "ownerB"], ["address", "signerB"], ["Asset[]", "assets"], ["address[]", "oracles"],
    ["uint8", "oracleThreshold"], ["uint32", "priceSlot"], ["uint32", "priceGrace"], ["uint32", "disputePeriod"], ["uint128", "stalePenalty"], ["bytes32", "salt"]],
};
for (const name of Object.keys(channelTypes)) channelTypes[name] = channelTypes[name].map(([type, member]) => ({ name: member, type }));

function checkState(proof, domain) {
  const { receipt, terms, typedData, signatures } = proof;
  const blob = bytes(proof.blob);
  const secret = bytes(proof.secret);
  const tower = bytes(receipt.tower);
  must(keccak(blob) === receipt.blobHash, "the blob is not the one that the receipt names");
  must(keccak(secret) === terms.salt, "the secret is not the channel's");
  const side = Buffer.from([proof.party === "A" ? 0 : 1]);
  const named = (text) => keccak(Buffer.from(text), secret, side, tower);
  must(named("Hedgerow tower locator") === receipt.locator, "the locator does not follow from the secret");
  const plain = openBlob(blob, bytes(named("Hedgerow tower key")), bytes(receipt.locator), receipt.version);

  const hash = (data, types, message) => ethers.TypedDataEncoder.hash(data, types, message);
  must(JSON.stringify(typedData.domain) === JSON.stringify(domain), "the state is of another chain or contract");
  must(hash(domain, channelTypes, terms) === proof.channelId, "the terms are of another channel");
  const state = typedData.message;
  must(state.channelId === proof.channelId && BigInt(state.version) === BigInt(receipt.version), "the state is of another version or channel");
  const digest = hash(domain, typedData.types, state);
  for (const [party, signer] of [["A", terms.signerA], ["B", terms.signerB]]) {
    must(ethers.recoverAddress(digest, signatures[party]) === ethers.getAddress(signer), `${party} has not signed the state`);
    // What was sealed is this very state: both signatures on its digest stand in it.
    const { r, yParityAndS } = ethers.Signature.from(signatures[party]);
    must(plain.includes(bytes(r + yParityAndS.slice(2))), `the blob does not hold ${party}'s signature`);
  }
}

function contradiction({ kept, said }) {
  checkReceipt(kept);
  if (said === null) return false;
  checkReceipt(said);
  if (said.tower !== kept.tower || said.client !== kept.client || said.locator !== kept.locator || said.hash === kept.hash) return false;
  return said.number <= kept.number || (said.number === kept.number + 1 && said.previous !== kept.hash) || (said.version !== 0 && said.version < kept.version);
}

try {
  const bundle = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
  must(bundle.kind === "hedgerow tower receipts" && bundle.format === 1, "no bundle of tower receipts");
  const domain = { name: "Hedgerow", version: "1", chainId: bundle.chainId, verifyingContract: ethers.getAddress(bundle.adjudicator) };
  for (const proof of bundle.proofs) {
    checkReceipt(proof.receipt);
    if (proof.blob !== undefined) checkState(proof, domain);
    const contradictions = proof.evidence.filter(contradiction).length;
    console.log(`version ${proof.receipt.version} receipt ${proof.receipt.number} state ${proof.blob === undefined ? "absent" : "proven"} contradictions ${contradictions}`);
  }
} catch (error) {
  if (!(error instanceof Wrong)) throw error;
  console.log(`wrong: ${error.message}`);
  process.exit(1);
}
