#include <nlohmann/json.hpp>

#include "daemon/api/api.h"
#include "daemon/api/payments.h"
#include "daemon/oracle/price_book.h"
#include "tests/unit/sim/stepped_machine.h"
#include "wallet/keys/node_identity.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using namespace hedgerow::tests;

namespace {

std::string tower_id() {
    return channel::to_hex(wallet::NodeIdentity::from_seed(channel::Bytes(32, 7))->node_id()).substr(2);
}

PriceBookConfig one_oracle() {
    PriceBookConfig out;
    out.oracles.resize(1);
    out.oracles[0].data.fill(1);
    return out;
}

/// The node's own handlers over a stepped node.
struct Desk {
    SteppedMachine& machine;
    PriceBook prices{one_oracle()};
    Market market{*machine.node, prices, {}, {}};
    Payments payments{*machine.node};
    rpc::Dispatcher dispatcher;

    explicit Desk(SteppedMachine& on) : machine(on) { bind_methods(dispatcher, {*machine.node, market, payments}); }

    /// The answer, where one has come; it may come later.
    std::shared_ptr<std::string> call(const std::string& method, const nlohmann::json& params) {
        const nlohmann::json request{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}};
        auto out = std::make_shared<std::string>();
        dispatcher.handle(request.dump(), rpc::kAllScopes, [out](const std::string& text) { *out = text; });
        return out;
    }
};

}  // namespace

TEST_CASE("stepped node: what changes something is answered when that is stored, and not before") {
    SteppedMachine machine(5);
    machine.options.towers = {tower_id() + "@127.0.0.1:9"};
    machine.start();
    machine.settle();
    {
        Desk desk(machine);
        const std::pair<std::string, nlohmann::json> calls[] = {
            {"node_halt", nlohmann::json::object()},
            {"node_resume", nlohmann::json::object()},
            {"invoice_create", {{"asset", "ETH"}, {"amount", "1"}}},
            {"tower_remove", {{"uri", tower_id()}}},
        };
        for (const auto& [method, params] : calls) {
            CAPTURE(method);
            const auto answer = desk.call(method, params);
            for (int i = 0; i < 3; ++i) machine.node->step(NodeStep::loop);
            CHECK(answer->empty());
            CHECK(machine.node->step(NodeStep::store));
            machine.node->step(NodeStep::loop);
            REQUIRE_FALSE(answer->empty());
            CAPTURE(*answer);
            CHECK(nlohmann::json::parse(*answer).contains("result"));
        }
    }
    machine.end(sim::SimDisk::End::power);
    machine.options.towers.clear();
    machine.start();
    CHECK_FALSE(machine.node->halted());
    CHECK(machine.node->towers().empty());
    CHECK(Payments(*machine.node).invoices().size() == 1);
}
