// A cheat, in a process of its own: takes a genuine older co-signed state, that its own node once exported, to the chain.
//   node cheat.mjs CHAIN_URL ADJUDICATOR EXPORT.json KEYSTORE.json PASSWORD_FILE
import fs from "node:fs";
import { ethers } from "ethers";
import { adjudicatorAbi } from "./network.mjs";

const [url, adjudicator, exportFile, keystoreFile, passwordFile] = process.argv.slice(2);
const old = JSON.parse(fs.readFileSync(exportFile, "utf8"));
const password = fs.readFileSync(passwordFile, "utf8").trim();
const provider = new ethers.JsonRpcProvider(url, undefined, { polling: true, pollingInterval: 250 });
const wallet = (await ethers.Wallet.fromEncryptedJson(fs.readFileSync(keystoreFile, "utf8"), password)).connect(provider);
const contract = new ethers.Contract(adjudicator, adjudicatorAbi(), wallet);
const compact = (rsv) => {
  const { r, yParityAndS } = ethers.Signature.from(rsv);
  return { r, vs: yParityAndS };
};
const none = { deadline: 0, signature: { r: ethers.ZeroHash, vs: ethers.ZeroHash } };
const tx = await contract.challenge(old.terms, old.secret, old.state, compact(old.signatures.A), compact(old.signatures.B), none);
const receipt = await tx.wait();
console.log(JSON.stringify({ txHash: tx.hash, block: receipt.blockNumber, version: old.state.version, from: wallet.address }));
provider.destroy();
