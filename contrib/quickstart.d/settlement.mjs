// The settlement of spec 3 once more, in another language, for checking what the chain paid. BigInt only.
import { ethers } from "ethers";

const abs = (x) => (x < 0n ? -x : x);
const towardZero = (n, d) => (n < 0n ? -(abs(n) / d) : n / d);
const ceilDiv = (n, d) => (n + d - 1n) / d;
const clamp = (x, low, high) => (x < low ? low : x > high ? high : x);
const zeroFeed = ethers.ZeroHash;

/// The earliest attested price of T, T + slot, … T + 8 slots; 0n where there is none.
export async function slotPrice(contract, terms, feed, time) {
  const set = await contract.oracleSet(terms.oracles);
  for (let k = 0n; k <= 8n; ++k) {
    const [price, signers] = await contract.attested(set, feed, time + k * BigInt(terms.priceSlot));
    if (price > 0n && signers >= BigInt(terms.oracleThreshold)) return price;
  }
  return 0n;
}

/// What A and B must have been paid per asset: linear positions without expiry, no locks (what the quickstart trades).
export async function expectedPayout(contract, channelId, terms, state, challengedAt, stale) {
  const slot = BigInt(terms.priceSlot);
  const T = (BigInt(challengedAt) / slot + 2n) * slot;
  const totals = [];
  const a = [];
  for (const [i, asset] of terms.assets.entries()) {
    const [depositA, depositB, withdrawnA, withdrawnB] = await contract.holdings(channelId, asset.token);
    totals.push(depositA + depositB - withdrawnA - withdrawnB);
    a.push(depositA - withdrawnA - BigInt(state.net[i]));
  }
  const priceOf = async (i) => (terms.assets[i].feed === zeroFeed ? 100_000_000n : (await slotPrice(contract, terms, terms.assets[i].feed, T)) || BigInt(state.assetMarks[i]));
  const p0 = await priceOf(0);
  const unit = (i) => 10n ** BigInt(terms.assets[i].decimals);
  if (state.positions.length > 0) {
    const marks = await Promise.all(state.positions.map((p) => slotPrice(contract, terms, p.instrument, T)));
    const missing = new Set(state.positions.filter((_, i) => marks[i] === 0n).map((p) => p.underlying));
    const sum = state.positions.reduce((s, p, i) => (missing.has(p.underlying) ? s : s + BigInt(p.quantity) * (marks[i] - BigInt(p.mark))), 0n);
    a[0] += towardZero(sum * unit(0), p0 * 10n ** 8n);
  }
  const aLoses = a[0] < 0n;
  let short = aLoses ? -a[0] : a[0] > totals[0] ? a[0] - totals[0] : 0n;
  for (let i = 0; i < a.length; ++i) a[i] = clamp(a[i], 0n, totals[i]);
  for (let i = 1; i < a.length && short > 0n; ++i) {
    const have = aLoses ? a[i] : totals[i] - a[i];
    if (have === 0n || Number(terms.assets[i].haircutBps) === 10_000) continue;
    const num = p0 * unit(i) * 10_000n;
    const den = unit(0) * (await priceOf(i)) * (10_000n - BigInt(terms.assets[i].haircutBps));
    const need = ceilDiv(short * num, den);
    const take = need < have ? need : have;
    a[i] += aLoses ? -take : take;
    short = take < have ? 0n : short - (short < (take * den) / num ? short : (take * den) / num);
  }
  if (stale) {
    const has = stale === "A" ? a[0] : totals[0] - a[0];
    const fine = has < BigInt(terms.stalePenalty) ? has : BigInt(terms.stalePenalty);
    a[0] += stale === "A" ? -fine : fine;
  }
  return { A: a, B: totals.map((t, i) => t - a[i]), T, shortfall: short };
}
