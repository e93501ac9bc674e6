#include <sodium.h>

#include "channel/crypto/keccak.h"
#include "channel/machine/channel.h"
#include "daemon/api/payments.h"
#include "daemon/chain/cursor.h"
#include "daemon/config/config_file.h"
#include "daemon/config/values.h"
#include "daemon/market/registry_file.h"
#include "daemon/net/frame.h"
#include "daemon/node/backup_file.h"
#include "daemon/oracle/key_file.h"
#include "daemon/oracle/package_file.h"
#include "daemon/oracle/replay_series.h"
#include "daemon/oracle/scenario.h"
#include "daemon/store/journal.h"
#include "daemon/store/rows.h"
#include "daemon/store/schema.h"
#include "daemon/tower/appointment.h"
#include "tests/fuzz/arbitrary.h"
#include "tests/fuzz/decoders.h"
#include "tests/fuzz/temp_file.h"
#include "wallet/keys/node_identity.h"
#include "wallet/keys/sealed.h"

namespace hedgerow::fuzz {

using namespace channel;
using namespace daemon;

namespace {

/// The texts between zero bytes.
std::vector<std::string> words_of(ByteView bytes) {
    std::vector<std::string> out;
    const std::string_view text = text_of(bytes);
    for (std::size_t at = 0; at <= text.size() && out.size() < 64;) {
        const std::size_t end = std::min(text.find('\0', at), text.size());
        out.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

const wallet::NodeIdentity& identity() {
    static const wallet::NodeIdentity made = *wallet::NodeIdentity::from_seed(Bytes(32, 7));
    return made;
}

}  // namespace

void decode_peer_uri(ByteView bytes) {
    const auto uri = parse_peer_uri(text_of(bytes));
    if (!uri) return;
    ASSERT(is_valid_host(uri->host) && uri->port != 0);
    ASSERT(*parse_peer_uri(format_peer_uri(*uri)) == *uri);
    static_cast<void>(tcp_endpoint(uri->host, "1"));
}

void decode_frames(ByteView bytes) {
    const auto same = [&](const Bytes& again) {
        ASSERT(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
    };
    const auto kind = kind_of(bytes);
    if (!kind) return;
    if (const auto greeting = decode_greeting(bytes)) same(encode_greeting(*kind, *greeting));
    if (const auto token = decode_token(bytes)) same(encode_token(*kind, *token));
    if (const auto rule = decode_reset(bytes)) ASSERT(*rule < Rule::count_);
    std::size_t taken = kDataHeaderSize;
    const auto all = for_each_frame(bytes, [&](ByteView frame) {
        ASSERT(!frame.empty() || taken <= bytes.size());
        taken += kFramePrefixSize + frame.size();
        static_cast<void>(wire_decode<PeerMessage>(frame));
    });
    ASSERT(!all || taken == bytes.size());
}

void decode_config_text(ByteView bytes) {
    const auto entries = parse_config_text(text_of(bytes), "hedgerow.conf");
    if (!entries) {
        ASSERT(!entries.error().text.empty());
        return;
    }
    for (const ConfigEntry& entry : *entries) {
        AssetConfig asset;
        OracleAddress oracle;
        RiskClass risk;
        MakerSize size;
        PeerUri peer;
        std::uint64_t number = 0;
        std::string host;
        std::uint16_t port = 0;
        static_cast<void>(read_asset(entry.value, asset));
        static_cast<void>(read_oracle(entry.value, oracle));
        static_cast<void>(read_risk_class(entry.value, risk));
        static_cast<void>(read_maker_size(entry.value, size));
        static_cast<void>(read_peer(entry.value, peer));
        static_cast<void>(read_u64(entry.value, number, 1, 1'000));
        static_cast<void>(read_endpoint(entry.value, host, port, 1));
        static_cast<void>(read_url(entry.value, "http", host));
    }
}

void decode_config_options(ByteView bytes) {
    std::vector<std::string> words = words_of(bytes);
    words.insert(words.begin(), {"hedgerowd", "--datadir=/nonexistent/hedgerow"});
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    const auto parsed = parse_command_line(static_cast<int>(argv.size()), argv.data());
    if (parsed && parsed->action == ParsedCommandLine::Action::run) static_cast<void>(dump_config(parsed->config));
}

void decode_registry_file(ByteView bytes) {
    const TempFile file(bytes);
    const auto registry = read_registry_file(file.path());
    if (!registry) {
        ASSERT(!registry.error().text.empty());
        return;
    }
    for (const Instrument& instrument : registry->all()) {
        ASSERT(registry->find(instrument.definition.instrument) == &instrument);
        ASSERT(instrument.tick.sign() > 0 && instrument.lot.sign() > 0);
    }
}

/// As it is, and with these bytes as a body that its payee has signed.
void decode_invoice(ByteView bytes) {
    static_cast<void>(parse_invoice(text_of(bytes)));
    FuzzData data(bytes.data(), bytes.size());
    auto invoice = arbitrary<Invoice>(data);
    invoice.payee = identity().node_id();
    Bytes body = wire_encode(invoice);
    if (data.flag() && !data.rest().empty()) body.assign(data.rest().begin(), data.rest().end());
    append(body, identity().sign("invoice", body).view());
    const std::string text = "hrow1" + to_hex(body).substr(2);
    const auto read = parse_invoice(text);
    if (read) ASSERT(wire_encode(*read) == Bytes(body.begin(), body.end() - 64));
}

/// These bytes as the plain text of a backup of ours.
void decode_backup(ByteView bytes) {
    wallet::ensure_sodium();
    static const wallet::SecretBytes key = wallet::SecretBytes(32);
    const auto sealed = wallet::seal_with_key(bytes, key, wallet::SealedKind::backup);
    ASSERT(sealed.has_value());
    const auto backup = open_backup(*sealed, key);
    if (backup) {
        Bytes expected(bytes.begin(), bytes.end());
        if (backup->format == 1) expected.push_back(0);  // its list of towers is empty
        ASSERT(wire_encode(*backup) == expected);
    }
    ASSERT(!open_backup(bytes, key));
}

void decode_cursor(ByteView bytes) {
    const auto cursor = read_cursor(text_of(bytes));
    if (!cursor) return;
    const std::string text = write_cursor(*cursor);
    ASSERT(*read_cursor(text) == *cursor && write_cursor(*read_cursor(text)) == text);
}

/// The side file that says which database is the newest: whatever is in it, opening works or names why not.
void decode_generation_file(ByteView bytes) {
    const std::filesystem::path path = TempFile::folder() / "store.db";
    const DatabaseOptions options{.path = path, .migrations = node_schema(), .check_integrity = false};
    static const bool made = [&] {
        Database fresh(options);
        fresh.begin();
        fresh.commit();
        return true;
    }();
    ASSERT(made);
    std::filesystem::path side = path;
    side += ".generation";
    std::ofstream(side, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    try {
        const Database opened(options);
    } catch (const StoreError& error) {
        ASSERT(error.kind() == StoreErrorKind::stale_copy);
    }
}

/// A journal of some records with these bytes over a part of it: every record is read as it was written, or what is wrong is named.
void decode_journal_file(ByteView bytes) {
    FuzzData data(bytes.data(), bytes.size());
    JournalOptions options;
    options.path = TempFile::folder() / "fuzz.journal";
    options.segment_bytes = options.max_segment_bytes = 8'192;
    for (const char* suffix : {".0", ".1", ".generation"}) std::filesystem::remove(options.path.string() + suffix);
    std::vector<Bytes> written;
    {
        Journal journal(options, Hash(), 0, 0, false);
        for (std::size_t i = 1 + data.below(8); i-- > 0;) {
            Bytes body(1 + data.below(1'500), static_cast<std::uint8_t>(i));
            written.push_back(body);
            ASSERT(journal.append(body, 0));
        }
    }
    const std::size_t at = data.below(8'192);
    const ByteView over = data.rest().first(std::min<std::size_t>(data.rest().size(), 8'192 - at));
    std::fstream file(options.path.string() + (data.flag() ? ".1" : ".0"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(reinterpret_cast<const char*>(over.data()), static_cast<std::streamsize>(over.size()));
    file.close();
    try {
        Journal journal(options, Hash(), 0, 0, false);
        ASSERT(journal.take().records == written);
    } catch (const StoreError& error) {
        ASSERT(error.kind() == StoreErrorKind::corrupt || error.kind() == StoreErrorKind::stale_copy);
    }
}

/// These bytes as rows of a journal: they go into the tables, or are named as what they are.
void decode_journal_rows(ByteView bytes) {
    static Database database({.path = TempFile::folder() / "rows.db", .migrations = node_schema(), .check_integrity = false});
    const Bytes rows(bytes.begin(), bytes.end());
    database.begin();
    try {
        apply_rows(database, {&rows, 1});
    } catch (const StoreError& error) {
        ASSERT(error.kind() == StoreErrorKind::corrupt || error.kind() == StoreErrorKind::internal);
    }
    database.rollback();
}

/// An appointment of these bytes is opened as it was sealed, and by nothing else; and these bytes as a blob are refused.
void decode_appointment(ByteView bytes) {
    wallet::ensure_sodium();
    FuzzData data(bytes.data(), bytes.size());
    auto appointment = arbitrary<Appointment>(data);
    appointment.state = decltype(appointment.state)(data.rest().first(std::min<std::size_t>(data.rest().size(), 1 << 16)));
    const NodeId tower{};
    const std::uint64_t version = data.byte();
    Bytes blob = seal_appointment(appointment, tower, version);
    const auto opened = open_appointment(blob, version, appointment.secret, appointment.party, tower);
    ASSERT(opened.has_value() && wire_encode(*opened) == wire_encode(appointment));
    ASSERT(!open_appointment(blob, version + 1, appointment.secret, appointment.party, tower));
    ASSERT(!open_appointment(blob, version, appointment.secret, other(appointment.party), tower));
    blob[data.below(blob.size())] ^= 1;
    ASSERT(!open_appointment(blob, version, appointment.secret, appointment.party, tower));
    ASSERT(!open_appointment(bytes, version, appointment.secret, appointment.party, tower));
}

void decode_scenario(ByteView bytes) {
    try {
        check_scenario(parse_scenario(text_of(bytes)));
    } catch (const ScenarioError& error) {
        ASSERT(*error.what() != '\0');
    }
}

/// Reading cuts off what is torn; what stays is read the same again.
void decode_package_file(ByteView bytes) {
    const TempFile temp(bytes);
    std::vector<Bytes> first;
    try {
        {
            PackageFile file(temp.path());
            static_cast<void>(file.read([&](PackageRecord record) { first.push_back(std::move(record.raw)); }));
        }
        PackageFile file(temp.path());
        std::size_t again = 0;
        const std::uint64_t cut = file.read([&](const PackageRecord& record) { ASSERT(record.raw == first.at(again++)); });
        ASSERT(cut == 0 && again == first.size());
    } catch (const std::runtime_error& error) {
        ASSERT(*error.what() != '\0' && first.empty());
    }
}

void decode_replay_file(ByteView bytes) {
    const TempFile temp(bytes);
    try {
        const ReplaySeries series = ReplaySeries::load(temp.path());
        ASSERT(series.bars() > 0 && series.begin_ms() < series.end_ms());
        for (const std::uint64_t at : {series.begin_ms(), (series.begin_ms() + series.end_ms()) / 2, series.end_ms()}) {
            ASSERT(series.price_at(at) > 0);
        }
    } catch (const ReplayError& error) {
        ASSERT(*error.what() != '\0');
    }
}

void decode_key_file(ByteView bytes) {
    const TempFile temp(bytes);
    try {
        const wallet::PrivateKey key = load_key_file(temp.path());
        ASSERT(!key.address().is_zero());
    } catch (const KeyFileError& error) {
        ASSERT(*error.what() != '\0');
    }
}

}  // namespace hedgerow::fuzz
