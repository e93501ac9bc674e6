#include <fmt/format.h>

#include "daemon/tower/tower_core.h"

namespace hedgerow::daemon {

namespace {

/// Lines of one metric, with its help and type before the first.
class Metrics {
  public:
    void gauge(std::string_view name, std::string_view help) { begin(name, help, "gauge"); }
    void counter(std::string_view name, std::string_view help) { begin(name, help, "counter"); }
    template <typename Value>
    void value(std::string_view name, const Value& value, std::string_view labels = {}) {
        m_text += fmt::format("hedgerow_tower_{}{} {}\n", name, labels, value);
    }
    [[nodiscard]] std::string take() && { return std::move(m_text); }

  private:
    void begin(std::string_view name, std::string_view help, std::string_view type) {
        m_text += fmt::format("# HELP hedgerow_tower_{0} {1}\n# TYPE hedgerow_tower_{0} {2}\n", name, help, type);
    }
    std::string m_text;
};

std::string label(std::string_view key, std::string_view value) {
    return fmt::format("{{{}=\"{}\"}}", key, value);
}

void holdings(Metrics& out, const TowerTotals& totals) {
    out.gauge("appointments", "Records kept, by size of the padded appointment in KiB.");
    for (std::size_t i = 0; i < totals.records.size(); ++i)
        out.value("appointments", totals.records[i], label("kib", fmt::format("{}", kAppointmentClasses[i] >> 10)));
    out.gauge("appointment_bytes", "Bytes of their sealed blobs.");
    out.value("appointment_bytes", totals.bytes);
    out.gauge("clients", "Clients that have, had or may have records.");
    out.value("clients", totals.clients);
    out.gauge("backups", "Sealed backups kept for clients.");
    out.value("backups", totals.backups);
    out.gauge("backup_bytes", "Bytes of them.");
    out.value("backup_bytes", totals.backup_bytes);
}

void chain(Metrics& out, const TowerReport& report) {
    out.gauge("block", "Last block that was followed.");
    out.value("block", report.watch.height);
    out.gauge("synced", "1 while that is the newest block of the chain node.");
    out.value("synced", report.watch.synced ? 1 : 0);
    out.gauge("disputes",
              "Open disputes with an appointment, and those of them whose newer state is not recorded yet.");
    out.value("disputes", report.watch.cases, label("state", "open"));
    out.value("disputes", report.watch.answering, label("state", "answering"));
    out.counter("appointments_unusable_total",
                "Appointments that a challenge revealed and that could not be enforced.");
    out.value("appointments_unusable_total", report.watch.malformed);
    out.gauge("jobs", "Transactions, by state.");
    using wallet::JobStatus;
    for (const JobStatus status : {JobStatus::queued, JobStatus::broadcast, JobStatus::mined, JobStatus::confirmed,
                                   JobStatus::failed, JobStatus::cancelled}) {
        const auto at = report.jobs.find(status);
        out.value("jobs", at == report.jobs.end() ? 0 : at->second, label("state", wallet::job_status_name(status)));
    }
    if (report.uncommitted) {
        out.gauge("wallet_free_wei", "Balance less what live transactions may still cost.");
        out.value("wallet_free_wei", channel::to_decimal(*report.uncommitted));
    }
    out.gauge("wallet_reserve_wei", "What enforcing at worst is reckoned to need; below it no new record is taken.");
    out.value("wallet_reserve_wei", channel::to_decimal(report.watch.reserved));
}

}  // namespace

std::string metrics_text(const TowerReport& report) {
    Metrics out;
    holdings(out, report.totals);
    chain(out, report);
    out.counter("requests_total", "What clients asked and got.");
    out.value("requests_total", report.service.stored, label("kind", "stored"));
    out.value("requests_total", report.service.repeated, label("kind", "repeated"));
    out.value("requests_total", report.service.ended, label("kind", "ended"));
    out.value("requests_total", report.service.fetched, label("kind", "fetched"));
    out.value("requests_total", report.service.backups, label("kind", "backup"));
    out.counter("refused_total", "What they were refused, by rule.");
    for (const auto& [rule, count] : report.service.refused)
        out.value("refused_total", count, label("rule", channel::rule_name(rule)));
    out.gauge("peers", "Linked peers.");
    out.value("peers", report.peers);
    return std::move(out).take();
}

}  // namespace hedgerow::daemon
