// Gas of whole transactions (base, calldata, execution, refund), as a chain charges them: sent to anvil, read from receipts.
// Keys, salts and the clock are fixed, so a run repeats to the unit. Writes GAS.md.
"use strict";
const {spawn} = require("child_process");
const fs = require("fs");
const net = require("net");
const path = require("path");
const {ethers} = require("../../../node_modules/ethers");
const foundry = require("./foundry.js");
const redstone = require("../../../node_modules/@redstone-finance/protocol");

const CONTRACT = path.join(__dirname, "..");
const START = 1_800_000_000;
const NONE = {r: ethers.ZeroHash, vs: ethers.ZeroHash};
const BY_SENDER = {deadline: 0, signature: NONE};
const COIN = ethers.ZeroAddress;
const ETHER = 10n ** 18n;

const POSITION = ["instrument:bytes32", "underlying:bytes32", "kind:uint8", "expiry:uint64", "strike:uint128", "quantity:int128", "mark:int128"];
const LOCK = ["hash:bytes32", "expiry:uint64", "asset:uint8", "amount:int128"];
const fields = (list) => list.map((f) => ({name: f.split(":")[0], type: f.split(":")[1]}));
const STATE_TYPES = {
    State: fields(["channelId:bytes32", "version:uint64", "context:bytes32", "net:int256[]", "assetMarks:uint128[]", "positions:Position[]", "locks:Lock[]"]),
    Position: fields(POSITION),
    Lock: fields(LOCK),
};
const CLOSE_TYPES = {Close: fields(["channelId:bytes32", "version:uint64", "net:int256[]", "deadline:uint64"])};
const WITHDRAW_TYPES = {Withdraw: fields(["channelId:bytes32", "party:uint8", "asset:uint8", "total:uint256", "deadline:uint64"])};

const wallet = (name) => new ethers.Wallet(ethers.id(`hedgerow gas ${name}`));
const feed = (name) => ethers.encodeBytes32String(name);
const ascending = (wallets) => wallets.sort((x, y) => (BigInt(x.address) < BigInt(y.address) ? -1 : 1));
const ORACLES = ascending(["one", "two", "three"].map((n) => wallet(`oracle ${n}`)));

const PEERS = [
    ["Nitro (ETH)", "46,504 / 29,416", "143,226 (new payees), 111,514", "113,167", "73,969", "113,738 (new payees), 82,026"],
    ["Perun (ETH)", "45,753 each", "152,733", "109,958", "77,944", "104,312 + 43,052 each"],
    ["Vector (ETH)", "136,203 open + 50,505 / 25,984", "98,687", "156,341", "81,728", "142,364 + 58,311"],
    ["Raiden (ERC-20)", "111,094 open, 146,956 with deposit", "112,270", "118,501", "90,516", "108,569, + 38,619 a lock"],
    ["nitrolite (ERC-20)", "582,640 / 209,051", "206,342", "252,380", "195,284", "121,336"],
    ["bare floor", "44,019 / 26,919", "51,638", "57,406", "40,457", "42,686"],
];

function freePort() {
    return new Promise((resolve, reject) => {
        const server = net.createServer().on("error", reject);
        server.listen(0, "127.0.0.1", () => {
            const {port} = server.address();
            server.close(() => resolve(port));
        });
    });
}

async function withAnvil(use) {
    const port = await freePort();
    const child = spawn(foundry("anvil"), ["--port", String(port), "--timestamp", String(START), "--silent", "--hardfork", "prague"], {stdio: "ignore"});
    const provider = new ethers.JsonRpcProvider(`http://127.0.0.1:${port}`, 31337, {staticNetwork: true, cacheTimeout: -1});
    try {
        for (let tries = 0; ; ++tries) {
            try {
                await provider.send("eth_chainId", []);
                break;
            } catch (error) {
                if (tries > 100) throw error;
                await new Promise((resolve) => setTimeout(resolve, 100));
            }
        }
        return await use(provider);
    } finally {
        provider.destroy();
        child.kill();
    }
}

class Bench {
    constructor(provider) {
        this.provider = provider;
        this.now = START + 1_000;
        this.count = 0;
    }

    async start() {
        this.sender = ethers.HDNodeWallet.fromPhrase("test test test test test test test test test test test junk", undefined, "m/44'/60'/0'/0/0").connect(this.provider);
        this.nonce = 0;
        const artifact = (name) => JSON.parse(fs.readFileSync(path.join(CONTRACT, `artifact/${name}.json`), "utf8"));
        this.adjudicator = await this.deploy(artifact("Adjudicator"));
        this.deployGas = this.lastGas;
        this.token = await this.deploy(artifact("TestToken"), "Test Dollar", "TUSD", 6);
        await this.send(this.token, "mint", [this.sender.address, 10n ** 18n]);
        await this.send(this.token, "approve", [this.adjudicator.target, ethers.MaxUint256]);
        this.domain = {name: "Hedgerow", version: "1", chainId: 31337, verifyingContract: this.adjudicator.target};
    }

    async deploy(artifact, ...args) {
        const factory = new ethers.ContractFactory(artifact.abi, artifact.bytecode, this.sender);
        const {data} = await factory.getDeployTransaction(...args);
        const receipt = await this.mine({data});
        return new ethers.Contract(receipt.contractAddress, artifact.abi, this.sender);
    }

    async mine(request) {
        this.now += 1;
        await this.provider.send("evm_setNextBlockTimestamp", [this.now]);
        const response = await this.sender.sendTransaction({...request, gasLimit: 16_000_000n, nonce: this.nonce++, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n});
        const receipt = await response.wait();
        this.lastGas = Number(receipt.gasUsed);
        return receipt;
    }

    async send(contract, name, args, value = 0n) {
        await this.mine({to: contract.target, data: contract.interface.encodeFunctionData(name, args), value});
        return this.lastGas;
    }

    // A channel of the coin (or the token), whose payees have a balance already unless `fresh`.
    async channel({assets, fresh = false} = {}) {
        const n = ++this.count;
        const [ownerB, signerA, signerB] = ["owner B", "signer A", "signer B"].map((who) => wallet(`${who} ${n}`));
        const payee = wallet(`owner A ${n}`).address;
        if (!fresh) {
            for (const to of [payee, ownerB.address]) await this.mine({to, value: 1n});
            if (assets) for (const to of [payee, ownerB.address]) await this.send(this.token, "mint", [to, 1n]);
        }
        const secret = ethers.id(`secret ${n}`);
        const terms = {
            ownerA: payee,
            signerA: signerA.address,
            ownerB: ownerB.address,
            signerB: signerB.address,
            assets: assets ?? [{token: COIN, feed: feed("ETH"), decimals: 18, haircutBps: 500}],
            oracles: ORACLES.map((o) => o.address),
            oracleThreshold: 2,
            priceSlot: 10,
            priceGrace: 600,
            disputePeriod: 86_400,
            stalePenalty: ETHER / 100n,
            salt: ethers.keccak256(secret),
        };
        const id = await this.adjudicator.channelId(terms);
        return {terms, id, secret, signerA, signerB};
    }

    async sign(signer, types, value) {
        const signature = ethers.Signature.from(await signer.signTypedData(this.domain, types, value));
        return {r: signature.r, vs: signature.yParityAndS};
    }

    async both(ch, types, value) {
        const full = {channelId: ch.id, ...value};
        return [await this.sign(ch.signerA, types, full), await this.sign(ch.signerB, types, full)];
    }

    state(version, positions = [], locks = [], net = [-(ETHER / 3n)], assetMarks = [300_012_345_678n]) {
        return {version, context: ethers.id(`context ${version}`), net, assetMarks, positions, locks};
    }

    async fund(ch) {
        const first = await this.send(this.adjudicator, "deposit", [ch.id, 0, COIN, ETHER], ETHER);
        const later = await this.send(this.adjudicator, "deposit", [ch.id, 1, COIN, ETHER], ETHER);
        return {first, later};
    }

    // The challenger signs beforehand what its own transaction would say by its sender: the bench has one sender.
    async challenge(ch, state) {
        const signatures = state.version === 0 ? [NONE, NONE] : await this.both(ch, STATE_TYPES, state);
        const terms = ch.terms;
        await this.provider.send("anvil_impersonateAccount", [terms.ownerA]);
        await this.provider.send("anvil_setBalance", [terms.ownerA, "0xde0b6b3a7640000"]);
        const data = this.adjudicator.interface.encodeFunctionData("challenge", [terms, ch.secret, state, ...signatures, BY_SENDER]);
        this.now += 1;
        await this.provider.send("evm_setNextBlockTimestamp", [this.now]);
        const hash = await this.provider.send("eth_sendTransaction", [{from: terms.ownerA, to: this.adjudicator.target, data, gas: "0xf42400"}]);
        const receipt = await this.provider.getTransactionReceipt(hash);
        if (receipt.status !== 1) throw new Error("challenge failed");
        ch.end = this.now + terms.disputePeriod;
        ch.time = (Math.floor(this.now / terms.priceSlot) + 2) * terms.priceSlot;
        return Number(receipt.gasUsed);
    }

    async respond(ch, state) {
        return this.send(this.adjudicator, "respond", [ch.terms, state, ...(await this.both(ch, STATE_TYPES, state))]);
    }

    async settle(ch, state) {
        this.now = Math.max(this.now, ch.end);
        return this.send(this.adjudicator, "settle", [ch.terms, state]);
    }

    // The packages are RedStone's own, made and signed by its public package.
    async attest(time, prices) {
        const names = Object.keys(prices);
        const packages = [];
        for (const oracle of ORACLES) {
            for (const name of names) {
                const value = Number(prices[name]) / 1e8;
                const point = new redstone.NumericDataPoint({dataFeedId: name, value});
                packages.push(new redstone.DataPackage([point], time * 1000, name).sign(oracle.privateKey).toBytes());
            }
        }
        const addresses = ORACLES.map((o) => o.address);
        const gas = await this.send(this.adjudicator, "attest", [addresses, time, names.map(feed), packages]);
        const set = await this.adjudicator.oracleSet(addresses);
        for (const name of names) {
            const [price, signers] = await this.adjudicator.attested(set, feed(name), time);
            if (price !== prices[name] || signers !== 3n) throw new Error(`${name} is attested as ${price} by ${signers}`);
        }
        return gas;
    }
}

const instrument = (i) => ["BTC_USD-PERPETUAL", "ETH_USD-PERPETUAL", "SOL_USD-PERPETUAL", "BTC_USD-26MAR27"][i] ?? `BTC_USD-26MAR27-${90_000 + 1_000 * i}-C`;

function position(i) {
    return {
        instrument: feed(instrument(i)),
        underlying: feed("BTC_USD"),
        kind: i < 4 ? 0 : 1,
        expiry: i < 3 ? 0 : 1_901_000_000,
        strike: i < 4 ? 0n : BigInt(90_000 + 1_000 * i) * 10n ** 8n,
        quantity: (i % 2 === 0 ? 1n : -1n) * 12_345n,
        mark: 9_123_456_000_000n,
    };
}

async function measureCoin(bench) {
    const rows = {};
    const closing = await bench.channel();
    Object.assign(rows, await bench.fund(closing));
    rows.again = await bench.send(bench.adjudicator, "deposit", [closing.id, 0, COIN, ETHER], ETHER);
    const withdrawal = {party: 0, asset: 0, total: ETHER / 2n, deadline: bench.now + 3_600};
    rows.withdraw = await bench.send(bench.adjudicator, "withdraw", [closing.terms, withdrawal, ...(await bench.both(closing, WITHDRAW_TYPES, withdrawal))]);

    for (const fresh of [false, true]) {
        const ch = await bench.channel({fresh});
        await bench.fund(ch);
        const agreement = {version: 1_234_567, net: [ETHER / 3n], deadline: bench.now + 3_600};
        const gas = await bench.send(bench.adjudicator, "close", [ch.terms, agreement, ...(await bench.both(ch, CLOSE_TYPES, agreement))]);
        rows[fresh ? "closeNew" : "close"] = gas;
    }
    const ch = await bench.channel();
    await bench.fund(ch);
    rows.challenge = await bench.challenge(ch, bench.state(1_234_567));
    rows.respond = await bench.respond(ch, bench.state(1_234_600));
    rows.settle = await bench.settle(ch, bench.state(1_234_600));
    const fresh = await bench.channel({fresh: true});
    await bench.fund(fresh);
    await bench.challenge(fresh, bench.state(1_234_567));
    rows.settleNew = await bench.settle(fresh, bench.state(1_234_567));
    const unused = await bench.channel();
    await bench.fund(unused);
    const initial = {version: 0, context: ethers.ZeroHash, net: [], assetMarks: [], positions: [], locks: []};
    rows.challengeInitial = await bench.challenge(unused, initial);
    rows.settleInitial = await bench.settle(unused, initial);
    return rows;
}

async function measurePositions(bench) {
    const rows = [];
    for (const count of [0, 1, 8, 32]) {
        const ch = await bench.channel();
        await bench.fund(ch);
        const positions = Array.from({length: count}, (_, i) => position(i));
        const state = bench.state(1_234_567, positions);
        const challenge = await bench.challenge(ch, state);
        const respond = await bench.respond(ch, bench.state(1_234_600, positions));
        const prices = {ETH: 300_112_345_678n};
        for (let i = 0; i < count; ++i) prices[instrument(i)] = 9_223_456_000_000n + BigInt(i);
        if (count > 0) await bench.attest(ch.time, prices);
        rows.push({count, challenge, respond, settle: await bench.settle(ch, bench.state(1_234_600, positions))});
    }
    return rows;
}

async function measureLocks(bench) {
    const rows = [];
    for (const count of [0, 1, 16, 256]) {
        const ch = await bench.channel();
        await bench.fund(ch);
        const preimages = Array.from({length: count}, (_, i) => ethers.id(`preimage ${ch.id} ${i}`));
        const locks = preimages.map((p) => ({hash: ethers.keccak256(p), expiry: bench.now + 10_000, asset: 0, amount: 10n ** 12n}));
        const reveal = count > 0 ? await bench.send(bench.adjudicator, "reveal", [preimages]) : 0;
        const state = bench.state(1_234_567, [], locks);
        const challenge = await bench.challenge(ch, state);
        rows.push({count, reveal, challenge, settle: await bench.settle(ch, state)});
    }
    return rows;
}

async function measureToken(bench) {
    const assets = [{token: bench.token.target, feed: ethers.ZeroHash, decimals: 6, haircutBps: 0}];
    const ch = await bench.channel({assets});
    const amount = 1_000_000_000n;
    const first = await bench.send(bench.adjudicator, "deposit", [ch.id, 0, bench.token.target, amount]);
    const later = await bench.send(bench.adjudicator, "deposit", [ch.id, 1, bench.token.target, amount]);
    const deadline = bench.now + 3_600;
    const permit = {owner: bench.sender.address, spender: bench.adjudicator.target, value: amount, nonce: 0, deadline};
    const types = {Permit: fields(["owner:address", "spender:address", "value:uint256", "nonce:uint256", "deadline:uint256"])};
    const domain = {name: "Test Dollar", version: "1", chainId: 31337, verifyingContract: bench.token.target};
    const {v, r, s} = ethers.Signature.from(await bench.sender.signTypedData(domain, types, permit));
    const withPermit = await bench.send(bench.adjudicator, "depositWithPermit", [ch.id, 1, bench.token.target, amount, deadline, v, r, s]);
    const agreement = {version: 9, net: [amount / 3n], deadline};
    const close = await bench.send(bench.adjudicator, "close", [ch.terms, agreement, ...(await bench.both(ch, CLOSE_TYPES, agreement))]);
    return {first, later, withPermit, close};
}

async function measureAttest(bench) {
    const time = bench.now + 7;
    const one = await bench.attest(time, {BTC_USD: 9_000_000_000_000n});
    const prices = {};
    for (let i = 0; i < 10; ++i) prices[`FEED-${i}`] = 9_000_000_000_000n;
    return {one, ten: await bench.attest(time, prices)};
}

const figure = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");

function report(deploy, coin, positions, locks, token, attest) {
    const target = (name, got, limit) => `| ${name} | ${figure(got)} | ${figure(limit)} | ${got <= limit ? "met" : "**missed**"} |`;
    const slope = (rows, key) => {
        const last = rows[rows.length - 1];
        return (last[key] - rows[1][key]) / (last.count - rows[1].count);
    };
    const lines = [
        "# Gas",
        "",
        "Whole transactions as receipts say: 21,000, calldata, execution, refunds. Written by `contrib/contract gas` from transactions on anvil",
        "(Prague rules); keys and clock are fixed, so the figures repeat. The channel holds ETH and has three oracles; versions are seven digits, amounts",
        "fractions of an ETH, nobody's slots are warm.",
        "",
        "| step | gas | target | |",
        "|---|---|---|---|",
        target("first deposit", coin.first, 47_000),
        target("cooperative close, existing payees", coin.close, 80_000),
        target("challenge", coin.challenge, 85_000),
        target("respond", coin.respond, 60_000),
        target("settle and pay, existing payees", coin.settle, 80_000),
        target("each position in settle: the first (with the price of ETH)", positions[1].settle - positions[0].settle, 12_000),
        target("each further position in settle", slope(positions, "settle"), 6_000),
        "",
        "## Beside others",
        "",
        "| | deposit first / later | cooperative close | challenge | respond | settle and pay |",
        "|---|---|---|---|---|---|",
        `| **Hedgerow** | ${figure(coin.first)} / ${figure(coin.later)} | ${figure(coin.close)}, ${figure(coin.closeNew)} (new payees) | ${figure(coin.challenge)} | ${figure(coin.respond)} | ${figure(coin.settle)}, ${figure(coin.settleNew)} (new payees) |`,
        ...PEERS.map((row) => `| ${row.join(" | ")} |`),
        "",
        "Out of reach: the first deposit of Nitro and Perun, and a later one of Nitro and Vector. Of our first, 21,000 is the transaction, 22,100 the new",
        "slot, 1,032 calldata and 1,893 the event; the code is the rest, some 900. What could still go is words of the event (party, token, total), which",
        "a follower of the chain needs. The peers' closes are compared as published: which payees were new is known of Nitro's only.",
        "",
        "## More steps",
        "",
        "| step | gas |",
        "|---|---|",
        `| deploy the contract | ${figure(deploy)} |`,
        `| a party's further deposit | ${figure(coin.again)} |`,
        `| withdraw from a running channel, its first | ${figure(coin.withdraw)} |`,
        `| challenge with version 0 / settle it | ${figure(coin.challengeInitial)} / ${figure(coin.settleInitial)} |`,
        `| attest one feed / ten feeds, three packages each | ${figure(attest.one)} / ${figure(attest.ten)} |`,
        `| reveal one preimage / 256 | ${figure(locks[1].reveal)} / ${figure(locks[3].reveal)} |`,
        `| ERC-20: first deposit / other party's / with permit / close | ${figure(token.first)} / ${figure(token.later)} / ${figure(token.withPermit)} / ${figure(token.close)} |`,
        "",
        "| positions | challenge | respond | settle |",
        "|---|---|---|---|",
        ...positions.map((p) => `| ${p.count} | ${figure(p.challenge)} | ${figure(p.respond)} | ${figure(p.settle)} |`),
        "",
        "| locks, executed | challenge | settle |",
        "|---|---|---|",
        ...locks.map((l) => `| ${l.count} | ${figure(l.challenge)} | ${figure(l.settle)} |`),
        "",
    ];
    return lines.join("\n");
}

async function run() {
    const text = await withAnvil(async (provider) => {
        const bench = new Bench(provider);
        await bench.start();
        return report(
            bench.deployGas,
            await measureCoin(bench),
            await measurePositions(bench),
            await measureLocks(bench),
            await measureToken(bench),
            await measureAttest(bench),
        );
    });
    fs.writeFileSync(path.join(CONTRACT, "GAS.md"), text);
    console.log(text);
}

module.exports = {run: () => run().catch((error) => { console.error(error); process.exit(1); })};
