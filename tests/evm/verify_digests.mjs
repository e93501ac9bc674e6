// Reads {type, chainId, contract, message, digest} a line and compares the digest with what ethers makes of the same message. The types
// are spec 2.2's, written out here on purpose: they must not come from what they check.
import {createInterface} from "node:readline";
import {TypedDataEncoder} from "ethers";

const member = (text) => {
    const [type, name] = text.split(" ");
    return {type, name};
};
const struct = (text) => text.split(",").map(member);

const Asset = struct("address token,bytes32 feed,uint8 decimals,uint16 haircutBps");
const Channel = struct(
    "address ownerA,address signerA,address ownerB,address signerB,Asset[] assets,address[] oracles,uint8 oracleThreshold," +
        "uint32 priceSlot,uint32 priceGrace,uint32 disputePeriod,uint128 stalePenalty,bytes32 salt",
);
const State = struct(
    "bytes32 channelId,uint64 version,bytes32 context,int256[] net,uint128[] assetMarks,Position[] positions,Lock[] locks",
);
const Position = struct(
    "bytes32 instrument,bytes32 underlying,uint8 kind,uint64 expiry,uint128 strike,int128 quantity,int128 mark",
);
const Lock = struct("bytes32 hash,uint64 expiry,uint8 asset,int128 amount");
const TYPES = {
    Channel: {Channel, Asset},
    State: {State, Position, Lock},
    Close: {Close: struct("bytes32 channelId,uint64 version,int256[] net,uint64 deadline")},
    Withdraw: {Withdraw: struct("bytes32 channelId,uint8 party,uint8 asset,uint256 total,uint64 deadline")},
    Challenge: {Challenge: struct("bytes32 channelId,uint64 version,uint64 deadline")},
};

const seen = {};
let expected = -1;
let differ = 0;
for await (const line of createInterface({input: process.stdin})) {
    const {cases, type, chainId, contract, message, digest} = JSON.parse(line);
    if (cases !== undefined) {
        expected = cases;
        continue;
    }
    const domain = {name: "Hedgerow", version: "1", chainId, verifyingContract: contract};
    const theirs = TypedDataEncoder.hash(domain, TYPES[type], message);
    seen[type] = (seen[type] ?? 0) + 1;
    if (theirs === digest) continue;
    if (++differ <= 3) console.log(`${type} differs: ours ${digest}, ethers ${theirs}\n  ${line.slice(0, 1000)}`);
}
const total = Object.values(seen).reduce((sum, n) => sum + n, 0);
if (total !== expected) console.log(`${total} of ${expected} cases arrived`);
console.log(`${JSON.stringify(seen)}: ${differ === 0 ? "every digest agrees" : `${differ} differ`}`);
process.exit(differ === 0 && total === expected ? 0 : 1);
