// Prints tests/unit/wallet/chain_contract_vectors.txt, with which chain_contract_test.cpp compares: keccak-256 of the calldata of every function of the
// Adjudicator and of ERC-20, and logs of every event, for fixed arguments, made by ethers from the committed artifact.
// Run: node tests/functional/chain/calldata_vectors.js > tests/unit/wallet/chain_contract_vectors.txt
const path = require('path');
const root = path.join(__dirname, '../../..');
const { Interface, keccak256, ZeroHash } = require(path.join(root, 'node_modules/ethers'));
const abi = new Interface(require(path.join(root, 'channel/contract/artifact/Adjudicator.json')).abi);

const a = (n) => '0x' + n.toString(16).padStart(2, '0').repeat(20);
const h = (n) => '0x' + n.toString(16).padStart(2, '0').repeat(32);
const sigA = [h(0xa1), h(0x2a)], sigB = [h(0xb1), h(0x2b)];
const terms = [a(1), a(2), a(3), a(4), [['0x' + '00'.repeat(20), h(5), 18, 0], [a(6), ZeroHash, 6, 10000]], [a(7), a(8), a(9)], 2, 60, 3600, 86400,
               (1n << 100n), h(10)];
const state = [(1n << 48n) - 1n, h(11), [-(1n << 119n), (1n << 119n)], [1, (1n << 96n) - 1n],
               [[h(12), h(13), 4, 1800000000, 9000000000000n, -123456789n, 42], [h(14), h(15), 0, 0, 0, (1n << 95n), -1]],
               [[h(16), 1800000060, 1, -7], [h(17), 1800000120, 0, 8]]];
const empty = [0, ZeroHash, [], [], [], []];
const calls = [
  ['deposit', [h(1), 1, a(6), 1000000n]],
  ['depositWithPermit', [h(1), 0, a(6), 5n, 1800000000n, 28, h(0xa1), h(0x2a)]],
  ['recover', [terms, 1, a(12)]],
  ['withdraw', [terms, [1, 1, 77n, 1800000001n], sigA, sigB]],
  ['close', [terms, [9, [-5, 6], 1800000002n], sigA, sigB]],
  ['challenge', [terms, h(18), state, sigA, sigB, [1800000003n, sigB]]],
  ['challenge', [terms, h(18), empty, [ZeroHash, ZeroHash], [ZeroHash, ZeroHash], [0, [ZeroHash, ZeroHash]]]],
  ['respond', [terms, state, sigA, sigB]],
  ['settle', [terms, state]],
  ['claim', [a(6), a(1)]],
  ['reveal', [[h(19), h(20)]]],
  ['attest', [[a(7), a(8)], 1800000000, [h(5), h(12)], ['0x010203', '0x' + '04'.repeat(33)]]],
  ['multicall', [['0x01', '0x' + '02'.repeat(32)]]],
  ['domainSeparator', []],
  ['channelId', [terms]],
  ['stateDigest', [h(1), state]],
  ['dispute', [h(1)]],
  ['holdings', [h(1), a(6)]],
  ['oracleSet', [[a(7), a(8)]]],
  ['attested', [h(21), h(5), 1800000000]],
  ['revealedAt', [h(16)]],
  ['claimable', [a(6), a(1)]],
];
for (const [name, args] of calls) console.log(name, keccak256(abi.encodeFunctionData(name, args)));
const erc20 = new Interface(['function transfer(address,uint256)', 'function approve(address,uint256)', 'function balanceOf(address)',
  'function allowance(address,address)', 'function decimals()', 'function symbol()', 'function nonces(address)', 'function DOMAIN_SEPARATOR()',
  'function permit(address,address,uint256,uint256,uint8,bytes32,bytes32)']);
const max = (1n << 256n) - 1n;
const tokenCalls = [['transfer', [a(1), max]], ['approve', [a(1), 0]], ['balanceOf', [a(1)]], ['allowance', [a(1), a(2)]], ['decimals', []],
  ['symbol', []], ['nonces', [a(1)]], ['DOMAIN_SEPARATOR', []], ['permit', [a(1), a(2), max, 1800000000n, 28, h(0xa1), h(0x2a)]]];
for (const [name, args] of tokenCalls) console.log(name, keccak256(erc20.encodeFunctionData(name, args)));
const events = [
  ['Deposited', [h(1), 1, a(6), 1000]],
  ['Withdrawn', [h(1), 0, a(6), 1000, 10]],
  ['Recovered', [h(1), 0, a(6), 3]],
  ['Challenged', [h(1), 1, h(18), 1800000000, state]],
  ['Responded', [h(1), state]],
  ['Closed', [h(1), 9, [1, 2], [3, 4]]],
  ['Settled', [h(1), 9, [1, 2], [3, 4]]],
  ['Held', [a(6), a(1), max]],
  ['Claimed', [a(6), a(1), max]],
  ['Revealed', [keccak256(h(19)), h(19)]],
  ['Attested', [h(21), h(5), 1800000000, 9000000000000n, 3]],
];
for (const [name, args] of events) {
  const log = abi.encodeEventLog(name, args);
  console.log(name, log.topics.join(' '), log.data);
}
console.log(JSON.stringify(abi.fragments.filter((f) => f.type === 'error').map((f) => f.format())));
