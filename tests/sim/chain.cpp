#include "tests/sim/chain.h"

#include <algorithm>

#include "channel/crypto/keccak.h"

namespace hedgerow::sim {

using channel::BlockHash;
using channel::TxHash;
using channel::Unexpected;
using wallet::SignedTransaction;

namespace {

constexpr std::uint64_t kMinReplacementPercent = 10;  // Geth's
constexpr std::size_t kMaxPooledPerAccount = 64;

const Address& coinbase() {
    static const Address address = *channel::fixed_from_hex<Address>("0x00000000000000000000000000000000c01bba5e");
    return address;
}

BlockHash hash_of(const wallet::BlockHeader& header, std::uint64_t branch, const std::vector<MinedTx>& transactions) {
    channel::Writer out;
    channel::wire_write(out, header.parent);
    channel::wire_write(out, header.number);
    channel::wire_write(out, header.timestamp);
    channel::wire_write(out, branch);
    for (const MinedTx& tx : transactions) channel::wire_write(out, tx.transaction->hash);
    return BlockHash{channel::keccak256(out.bytes()).data};
}

U256 tip_of(const SignedTransaction& transaction, const U256& base_fee) {
    return std::min(transaction.body.max_priority_fee, transaction.body.max_fee - base_fee);
}

bool is_enough_more(const U256& now, const U256& before) {
    return now * U256(100) >= before * U256(100 + kMinReplacementPercent) && now > before;
}

}  // namespace

Chain::Chain(ChainConfig config, ChainRules rules, ChainState genesis, Random random)
    : m_config(std::move(config)), m_rules(std::move(rules)), m_random(random) {
    auto block = std::make_shared<Block>();
    block->header.timestamp = m_config.genesis_s;
    block->header.base_fee = m_config.usual_base_fee;
    block->header.gas_limit = m_config.block_gas;
    block->header.hash = hash_of(block->header, 0, {});
    block->usual_tip = m_config.usual_tip;
    block->after = std::make_shared<const ChainState>(std::move(genesis));
    m_numbers[block->header.hash] = 0;
    m_blocks.push_back(std::move(block));
}

const Block* Chain::block(std::uint64_t number) const {
    return number < m_blocks.size() ? m_blocks[number].get() : nullptr;
}

const Block* Chain::block(const BlockHash& hash) const {
    const auto found = m_numbers.find(hash);
    return found == m_numbers.end() ? nullptr : block(found->second);
}

std::uint64_t Chain::final_height() const {
    return m_highest > m_config.max_reorg ? m_highest - m_config.max_reorg : 0;
}

std::optional<Chain::Place> Chain::place_of(const TxHash& hash) const {
    const auto found = m_mined.find(hash);
    return found == m_mined.end() ? std::nullopt : std::optional(found->second);
}

bool Chain::is_pending(const TxHash& hash) const {
    return m_pending.contains(hash);
}

std::uint64_t Chain::pending_nonce(const Address& account) const {
    const auto known = state().nonces.find(account);
    std::uint64_t nonce = known == state().nonces.end() ? 0 : known->second;
    const auto queue = m_pool.find(account);
    while (queue != m_pool.end() && queue->second.contains(nonce)) ++nonce;
    return nonce;
}

// --- the mempool
// ------------------------------------------------------------------------------------------------------------

channel::Expected<TxHash, std::string> Chain::submit(ByteView raw) {
    const auto refuse = [](std::string why) { return Unexpected{std::move(why)}; };
    ++m_revision;
    auto decoded = wallet::decode_transaction(raw);
    if (!decoded) return refuse("rlp: value size exceeds available input length");
    const auto sender = wallet::transaction_sender(*decoded);
    if (!sender) return refuse("invalid sender");
    const wallet::Transaction& body = decoded->body;
    if (body.chain_id != m_config.chain_id) return refuse("invalid chain id for signer");
    if (body.gas_limit > m_config.block_gas) return refuse("exceeds block gas limit");
    if (body.gas_limit < transaction_gas(body.data, 0)) return refuse("intrinsic gas too low");
    if (body.max_priority_fee > body.max_fee) return refuse("max priority fee per gas higher than max fee per gas");
    if (body.max_priority_fee.is_zero()) return refuse("transaction underpriced");
    if (m_pending.contains(decoded->hash)) return refuse("already known");
    const ChainState& now = state();
    const auto known = now.nonces.find(*sender);
    const std::uint64_t nonce = known == now.nonces.end() ? 0 : known->second;
    if (body.nonce < nonce) return refuse("nonce too low: next nonce " + std::to_string(nonce));
    const auto cost = wallet::maximum_cost(body);
    const auto coins = now.coins.find(*sender);
    if (!cost || coins == now.coins.end() || coins->second < *cost)
        return refuse("insufficient funds for gas * price + value");
    Queue& queue = m_pool[*sender];
    if (const auto before = queue.find(body.nonce); before != queue.end()) {
        const wallet::Transaction& old = before->second.transaction->body;
        if (!is_enough_more(body.max_fee, old.max_fee) || !is_enough_more(body.max_priority_fee, old.max_priority_fee))
            return refuse("replacement transaction underpriced");
        m_pending.erase(before->second.transaction->hash);
    } else if (queue.size() >= kMaxPooledPerAccount) {
        return refuse("txpool is full");
    }
    const TxHash hash = decoded->hash;
    m_pending[hash] = *sender;
    queue[body.nonce] = {std::make_shared<const SignedTransaction>(std::move(*decoded)), m_arrivals++};
    return hash;
}

void Chain::lose_mempool(std::uint64_t per_mille) {
    ++m_revision;
    for (auto& [sender, queue] : m_pool) {
        for (auto it = queue.begin(); it != queue.end();) {
            if (!m_random.chance(per_mille)) {
                ++it;
                continue;
            }
            m_pending.erase(it->second.transaction->hash);
            it = queue.erase(it);
        }
    }
}

// --- blocks
// -----------------------------------------------------------------------------------------------------------------

bool Chain::is_crowded(const U256& base_fee) const {
    return m_congestion && base_fee + m_congestion->tip <= m_congestion->max_fee;
}

/// EIP-1559 moves by at most an eighth a block: up while others fill the blocks, else towards what is usual.
U256 Chain::next_base_fee(const Block& parent) const {
    const U256& base = parent.header.base_fee;
    if (parent.gas_used > m_config.block_gas / 2) return base + base / U256(8);
    if (base <= m_config.usual_base_fee) return m_config.usual_base_fee;
    return std::max(base - base / U256(8), m_config.usual_base_fee);
}

void Chain::produce(std::uint64_t now_s) {
    if (m_random.chance(m_missed_per_mille)) return;
    mine(now_s, m_delayed_per_mille);
}

std::optional<std::pair<Address, Chain::Pooled>> Chain::next_transaction(const ChainState& state, const U256& base_fee,
                                                                         std::uint64_t gas_left,
                                                                         const std::set<TxHash>& passed) {
    std::optional<std::pair<Address, Pooled>> best;
    for (const auto& [sender, queue] : m_pool) {
        const auto nonce = state.nonces.find(sender);
        const auto next = queue.find(nonce == state.nonces.end() ? 0 : nonce->second);
        if (next == queue.end()) continue;
        const SignedTransaction& tx = *next->second.transaction;
        if (passed.contains(tx.hash) || tx.body.max_fee < base_fee || tx.body.gas_limit > gas_left) continue;
        const auto coins = state.coins.find(sender);
        const auto cost = wallet::maximum_cost(tx.body);
        if (coins == state.coins.end() || coins->second < *cost) continue;
        const U256 tip = tip_of(tx, base_fee);
        if (is_crowded(base_fee) && tip <= m_congestion->tip) continue;
        if (best) {
            const U256 other = tip_of(*best->second.transaction, base_fee);
            if (tip < other || (tip == other && next->second.arrival > best->second.arrival)) continue;
        }
        best = {sender, next->second};
    }
    return best;
}

MinedTx Chain::apply(ChainState& state, const Pooled& pooled, const Address& sender, const U256& base_fee,
                     std::uint64_t now_s) const {
    const wallet::Transaction& body = pooled.transaction->body;
    MinedTx out{pooled.transaction, sender, false, 0, base_fee + tip_of(*pooled.transaction, base_fee), {}, {}};
    ++state.nonces[sender];
    const U256 prepaid = out.gas_price * U256(body.gas_limit);
    state.coins[sender] = state.coins[sender] - prepaid;
    out.gas_used = transaction_gas(body.data, 0);
    if (body.to) {
        ChainState after = state;
        CallResult result = execute(m_rules, after, {sender, *body.to, body.value, now_s}, body.data);
        if (transaction_gas(body.data, result.gas_needed) > body.gas_limit) {
            out.gas_used = body.gas_limit;  // out of gas
        } else {
            state = std::move(after);
            out.success = result.success;
            out.gas_used = transaction_gas(body.data, result.gas_used);
            out.revert_data = result.success ? Bytes() : std::move(result.output);
            for (EmittedLog& log : result.logs)
                out.logs.push_back({log.address, std::move(log.topics), std::move(log.data), 0, {}, {}, 0});
        }
    }
    const U256 used(out.gas_used);
    state.coins[sender] = state.coins[sender] + (prepaid - out.gas_price * used);
    state.burned = state.burned + base_fee * used;
    U256& tips = state.coins[coinbase()];
    tips = tips + (out.gas_price - base_fee) * used;
    return out;
}

void Chain::mine(std::uint64_t now_s, std::uint64_t delay_per_mille) {
    ++m_revision;
    const Block& parent = head();
    auto block = std::make_shared<Block>();
    block->header.number = parent.header.number + 1;
    block->header.parent = parent.header.hash;
    block->header.timestamp = now_s;
    block->header.base_fee = next_base_fee(parent);
    block->header.gas_limit = m_config.block_gas;
    const U256 base_fee = block->header.base_fee;
    const bool crowded = is_crowded(base_fee);
    block->usual_tip = crowded ? m_congestion->tip : m_config.usual_tip;
    std::set<TxHash> passed;
    for (const auto& [hash, sender] : m_pending) {
        if (delay_per_mille != 0 && m_random.chance(delay_per_mille)) passed.insert(hash);
    }
    std::shared_ptr<ChainState> after;
    std::uint64_t gas_left = m_config.block_gas;
    while (auto next = next_transaction(after ? *after : *parent.after, base_fee, gas_left, passed)) {
        if (!after) after = std::make_shared<ChainState>(*parent.after);
        MinedTx mined = apply(*after, next->second, next->first, base_fee, now_s);
        gas_left -= mined.gas_used;
        m_pending.erase(mined.transaction->hash);
        m_pool[next->first].erase(mined.transaction->body.nonce);
        block->transactions.push_back(std::move(mined));
    }
    block->gas_used = crowded ? m_config.block_gas : m_config.block_gas - gas_left;
    block->after = after ? std::shared_ptr<const ChainState>(std::move(after)) : parent.after;
    block->header.hash = hash_of(block->header, m_branches, block->transactions);
    std::uint64_t index = 0;
    for (std::size_t i = 0; i < block->transactions.size(); ++i) {
        MinedTx& tx = block->transactions[i];
        m_mined[tx.transaction->hash] = {block->header.number, i};
        for (wallet::LogEntry& log : tx.logs) {
            log.block_number = block->header.number;
            log.block_hash = block->header.hash;
            log.tx_hash = tx.transaction->hash;
            log.log_index = index++;
        }
    }
    m_numbers[block->header.hash] = block->header.number;
    m_blocks.push_back(std::move(block));
    m_highest = std::max(m_highest, height());
}

/// Puts a block's transactions back into the mempool, unless another took their nonce there.
void Chain::take_out(const Block& block) {
    m_numbers.erase(block.header.hash);
    for (const MinedTx& tx : block.transactions) {
        const SignedTransaction& transaction = *tx.transaction;
        m_mined.erase(transaction.hash);
        if (!m_pool[tx.sender].try_emplace(transaction.body.nonce, Pooled{tx.transaction, m_arrivals++}).second) continue;
        m_pending[transaction.hash] = tx.sender;
    }
}

std::uint64_t Chain::reorganise(std::uint64_t depth, std::uint64_t now_s, std::uint64_t lose_per_mille,
                                std::uint64_t delay_per_mille) {
    std::uint64_t taken = 0;
    while (taken < depth && height() > final_height()) {
        const std::shared_ptr<const Block> top = m_blocks.back();
        m_blocks.pop_back();
        take_out(*top);
        ++taken;
    }
    if (taken == 0) return 0;
    ++m_reorgs;
    ++m_branches;
    lose_mempool(lose_per_mille);
    // The other branch used the same slots; it may have missed some, but not the newest.
    for (std::uint64_t slot = head().header.timestamp + m_config.slot_s; slot < now_s; slot += m_config.slot_s) {
        if (!m_random.chance(200)) mine(slot, delay_per_mille);
    }
    mine(now_s, delay_per_mille);
    return taken;
}

}  // namespace hedgerow::sim
