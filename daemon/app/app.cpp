#include "daemon/app/app.h"

#include <sys/stat.h>

#include <fstream>

#include "daemon/api/api.h"
#include "daemon/api/payments.h"
#include "daemon/app/hooks.h"
#include "daemon/app/node_options.h"
#include "daemon/market/book_packages.h"
#include "daemon/market/registry_file.h"
#include "daemon/node/clock.h"
#include "daemon/node/node_parts.h"
#include "daemon/oracle/oracle_client.h"
#include "daemon/tower/node_tower.h"
#include "daemon/tower/tower_http.h"
#include "rpc/server.h"

namespace hedgerow::daemon {

namespace {

channel::Registry read_registry(const Config& config) {
    if (config.market.instrument_file.empty()) return {};
    auto registry = read_registry_file(config.market.instrument_file);
    if (!registry) throw std::runtime_error(std::string("instruments: ").append(registry.error().text));
    return std::move(*registry);
}

/// A node without oracles trades nothing, but pays: its book knows one signer that nobody is.
PriceBookConfig book_config(const Config& config) {
    PriceBookConfig out = price_book_config(config);
    if (out.oracles.empty()) {
        out.oracles.push_back(channel::Address());
        out.threshold = 1;
    }
    return out;
}

rpc::DispatcherOptions dispatcher_options(Node& node) {
    rpc::DispatcherOptions out;
    out.run = [&loop = node.loop()](std::function<void()> task) { return loop.post(std::move(task)); };
    out.starting = [&node] { return node.starting(); };
    return out;
}

rpc::RpcServerOptions rpc_options(const Config& config) {
    rpc::RpcServerOptions out;
    out.http.address = config.rpc.host;
    out.http.port = config.rpc.port;
    out.cookie_path = config.rpc.cookie_file.is_absolute() ? config.rpc.cookie_file : config.datadir / config.rpc.cookie_file;
    return out;
}

void make_datadir(const std::filesystem::path& path) {
    std::filesystem::create_directories(path);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

}  // namespace

struct App::Impl {
    explicit Impl(const Config& config)
        : registry((make_datadir(config.datadir), read_registry(config))),
          node(node_options(config, registry)),
          book(book_config(config)),
          market(node, book, registry, market_options(config)),
          payments(node),
          hooks(market, payments),
          packages(book, client_pointer),
          dispatcher(dispatcher_options(node)) {
        node.set_market(&hooks);
        node.set_packages(&packages);
        market.set_fetch([this](const channel::Feed& feed, std::uint64_t time_s) { packages.fetch(feed, time_s); });
        bind_methods(dispatcher, {node, market, payments});
        start_oracles(config);
        if (config.tower.enabled) start_tower(config);
        server = std::make_unique<rpc::RpcServer>(rpc_options(config), dispatcher);
        LOG_INFO("rpc", {"url", server->url()}, {"cookie", server->cookie_path().string()});
        write_url(config.datadir / rpc::kUrlFileName);
    }

    ~Impl() {
        std::error_code ignored;
        std::filesystem::remove(url_file, ignored);
    }

    /// For scripts and the command line, where the port is a free one.
    void write_url(const std::filesystem::path& path) {
        const std::filesystem::path fresh = path.string() + ".new";
        std::ofstream(fresh) << server->url() << '\n';
        std::filesystem::rename(fresh, path);
        url_file = path;
    }

    void start_oracles(const Config& config) {
        if (config.oracle.endpoints.empty()) return;
        client = std::make_unique<OracleClient>(
            oracle_client_config(config), book, wall_clock_ms, [this](std::vector<channel::Feed>) { prices_moved(); },
            [this](const std::string& text) {
                LOG_ERROR("oracle client", {"text", text});
                node.stop();
            });
        client_pointer = client.get();
    }

    /// In a directory of its own, so that it has the files of hedgerow-tower and its commands work on them.
    void start_tower(const Config& config) {
        const std::filesystem::path directory = config.datadir / "tower";
        node.serve_tower(directory, config.tower.limits);
        tower_http = std::make_unique<TowerHttp>(node.loop(), *node.tower(), directory, config.tower.http_host,
                                                 config.tower.http_port);
        LOG_INFO("tower", {"directory", directory.string()}, {"http", tower_http->url()});
    }

    /// At most one look at the prices waits in the loop, however many packages come.
    void prices_moved() {
        if (moved.exchange(true)) return;
        const bool posted = node.loop().post([this] {
            moved.store(false);
            market.on_prices();
        });
        if (!posted) moved.store(false);
    }

    const channel::Registry registry;
    Node node;
    PriceBook book;
    Market market;
    Payments payments;
    Hooks hooks;
    OracleClient* client_pointer = nullptr;
    BookPackages packages;
    rpc::Dispatcher dispatcher;
    std::unique_ptr<rpc::RpcServer> server;
    std::unique_ptr<TowerHttp> tower_http;
    std::filesystem::path url_file;
    std::atomic<bool> moved{false};
    std::unique_ptr<OracleClient> client;
    bool wrong_password = false;
};

App::App(const Config& config) : m_impl(std::make_unique<Impl>(config)) {}

App::~App() {
    m_impl->server->stop();
    m_impl->tower_http.reset();
    m_impl->client_pointer = nullptr;
    m_impl->client.reset();
}

void App::unlock_with(wallet::SecretBytes password) {
    const std::string text(reveal_text(password));
    const bool posted = m_impl->node.loop().post([impl = m_impl.get(), text]() mutable {
        if (!impl->node.wallet_exists()) {
            LOG_WARN("no wallet yet; create one with wallet create");
            return;
        }
        impl->node.unlock_wallet(std::move(text), [impl](const Result<channel::Address>& account) {
            if (account) return;
            LOG_ERROR("the wallet does not open", {"error", account.error().name}, {"text", account.error().message});
            impl->wrong_password = true;
            impl->node.stop();
        });
    });
    ASSERT(posted);
}

int App::run() {
    const int code = m_impl->node.run();
    return m_impl->wrong_password ? 2 : code;
}

void App::stop() noexcept { m_impl->node.stop(); }

Node& App::node() { return m_impl->node; }
Market& App::market() { return m_impl->market; }

channel::Rule App::take_package(channel::ByteView raw) {
    const auto taken = m_impl->book.submit(raw, wall_clock_ms());
    if (!taken) return taken.error();
    if (!taken->moved.empty()) m_impl->prices_moved();
    return channel::Rule::none;
}

}  // namespace hedgerow::daemon
