// vk-load: loads for scripts/bench.sh, and what it reads from metrics and audit logs.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "load/audit.h"
#include "load/bystanders.h"
#include "load/fake_targets.h"
#include "load/life.h"
#include "load/lists.h"
#include "load/relayed.h"
#include "load/report.h"
#include "load/statistics.h"

namespace vkb::load {
namespace {

struct Arguments {
  LifeOptions life;
  std::int64_t hold_s = 0, patience_s = 900;
  std::string only;
  BystanderOptions bystanders;
  FakeTargetOptions fake_targets;
  ListsOptions lists;
  std::string kubeconfig, out, address, before, after, name, agent, from, to, log, figures;
  std::vector<std::string> labels;
  std::int64_t rtt_ms = 100;
};

CLI::App* addLife(CLI::App& app, Arguments& arguments) {
  CLI::App* life = app.add_subcommand("life", "Make pods, wait until they are Ready, delete them");
  LifeOptions& o = arguments.life;
  life->add_option("--kubeconfig", o.kubeconfig, "where")->required();
  life->add_option("--node", o.node, "bound to this node; not given: the scheduler places them");
  life->add_option("--namespace", o.ns, "has to exist");
  life->add_option("--second", o.second_kubeconfig,
                   "a cluster that gets as many at the same moment, placed by its scheduler");
  life->add_option("--also-empty", o.also_empty_kubeconfig, "a cluster that has to be empty too");
  life->add_option("--pods", o.pods, "how many");
  life->add_option("--workers", o.workers, "requests at once, a cluster");
  life->add_option("--rate", o.rate, "pods a second; 0: as fast as it goes");
  life->add_option("--hold", arguments.hold_s, "seconds between Ready and deletion");
  life->add_option("--patience", arguments.patience_s, "seconds to wait for each");
  life->add_option("--only", arguments.only, "only this half")
      ->check(CLI::IsMember({"make", "remove"}));
  return life;
}

CLI::App* addBystanders(CLI::App& app, Arguments& arguments) {
  CLI::App* command = app.add_subcommand("bystanders", "Pods of others, that come and go");
  BystanderOptions& o = arguments.bystanders;
  command->add_option("--kubeconfig", o.kubeconfig, "where")->required();
  command->add_option("--namespace", o.ns, "has to exist");
  command->add_option("--node-prefix", o.node_prefix, "bound to PREFIX-0, PREFIX-1, …");
  command->add_option("--nodes", o.nodes, "so many nodes");
  command->add_option("--pods", o.pods, "how many");
  command->add_option("--churn", o.churn, "pods replaced a second");
  return command;
}

/// The difference of two scrapes: a histogram's quantiles or a counter's growth.
Result<void> printDifference(const Arguments& arguments) {
  const auto read = [](const std::string& file) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    return parseMetrics(text.str());
  };
  std::map<std::string, std::string> labels;
  for (const auto& label : arguments.labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos) return invalid("--label " + label + ": KEY=VALUE is wanted");
    labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  const auto before = read(arguments.before), after = read(arguments.after);
  const auto grown = [&](const std::string& name) {
    return sumOf(after, name, labels) - sumOf(before, name, labels);
  };
  const auto quantile = [&](double share) {
    return quantileBetween(before, after, arguments.name, labels, share);
  };
  std::printf("%s\n", Json{{"grown", grown(arguments.name)},
                           {"count", grown(arguments.name + "_count")},
                           {"sum", grown(arguments.name + "_sum")},
                           {"p50", quantile(0.5)},
                           {"p95", quantile(0.95)},
                           {"p99", quantile(0.99)}}
                          .dump()
                          .c_str());
  return {};
}

Result<void> printAudit(const Arguments& arguments) {
  std::ifstream in(arguments.log);
  if (!in) return invalid("cannot read " + arguments.log);
  const auto counts = countRequests(in, arguments.agent, arguments.from, arguments.to);
  std::printf("%s\n", Json(counts).dump().c_str());
  return {};
}

Result<void> printReport(const Arguments& arguments, bool& missed) {
  std::ifstream in(arguments.figures);
  const auto rows = readRows(in);
  if (!rows) return failure(rows.error());
  std::printf("%s", tableOf(*rows).c_str());
  if (!arguments.out.empty()) std::ofstream(arguments.out) << jsonOf(*rows).dump(1) << "\n";
  for (const Row& row : *rows) missed = missed || row.missed();
  return {};
}

Result<void> printScrape(const Arguments& arguments) {
  Workplace place(2);
  const auto text = place.scrape(arguments.address);
  if (!text) return failure(text.error());
  std::printf("%s", text->c_str());
  return {};
}

int conclude(const Result<void>& done, bool missed) {
  if (done) return missed ? 1 : 0;
  std::fprintf(stderr, "vk-load: %s\n", done.error().message.c_str());
  return 1;
}

int app(int argc, char** argv) {
  CLI::App parser("Loads for scripts/bench.sh, and what it reads from metrics and audit logs.");
  parser.require_subcommand(1);
  Arguments arguments;
  CLI::App* life = addLife(parser, arguments);
  CLI::App* bystanders = addBystanders(parser, arguments);

  CLI::App* fakes = parser.add_subcommand("fake-targets", "Small API servers in memory over TLS");
  fakes->add_option("--folder", arguments.fake_targets.folder, "for their kubeconfigs")->required();
  fakes->add_option("--count", arguments.fake_targets.count, "how many");
  fakes->add_option("--nodes", arguments.fake_targets.nodes, "nodes of each");
  fakes->add_option("--pods", arguments.fake_targets.pods, "foreign pods of each");

  CLI::App* relay = parser.add_subcommand("relay", "A cluster behind a long line");
  relay->add_option("--kubeconfig", arguments.kubeconfig, "its kubeconfig")->required();
  relay->add_option("--out", arguments.out, "the kubeconfig that leads over the line")->required();
  relay->add_option("--rtt", arguments.rtt_ms, "round trip in ms");

  CLI::App* lists = parser.add_subcommand("lists", "Read what a bridge lists when it starts");
  lists->add_option("--kubeconfig", arguments.lists.kubeconfig, "home's")->required();
  lists->add_option("--node", arguments.lists.node, "home's pods bound to it")->required();
  lists->add_option("--second", arguments.lists.second_kubeconfig, "the target's")->required();

  CLI::App* scrape = parser.add_subcommand("scrape", "Print /metrics of a program");
  scrape->add_option("ADDRESS", arguments.address, "host:port")->required();

  CLI::App* difference = parser.add_subcommand("difference", "What grew between two scrapes");
  difference->add_option("--before", arguments.before, "file")->required();
  difference->add_option("--after", arguments.after, "file")->required();
  difference->add_option("--name", arguments.name, "of the metric")->required();
  difference->add_option("--label", arguments.labels, "KEY=VALUE");

  CLI::App* audit = parser.add_subcommand("audit", "Count requests in an audit log");
  audit->add_option("--log", arguments.log, "file")->required();
  audit->add_option("--agent", arguments.agent, "whose: the user agent begins so")->required();
  audit->add_option("--from", arguments.from, "RFC 3339 time");
  audit->add_option("--to", arguments.to, "RFC 3339 time");

  CLI::App* report = parser.add_subcommand("report", "Print the table; exit 1: a target is missed");
  report->add_option("FIGURES", arguments.figures, "one JSON object a line")->required();
  report->add_option("--json", arguments.out, "also as JSON into this file");

  try {
    parser.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parser.exit(error) == 0 ? 0 : 2;
  }
  arguments.life.hold = std::chrono::seconds(arguments.hold_s);
  arguments.life.patience = std::chrono::seconds(arguments.patience_s);
  arguments.life.make = arguments.only != "remove";
  arguments.life.remove = arguments.only != "make";
  bool missed = false;
  Result<void> done;
  if (*life) {
    done = runLife(arguments.life);
  } else if (*bystanders) {
    done = runBystanders(arguments.bystanders);
  } else if (*fakes) {
    done = runFakeTargets(arguments.fake_targets);
  } else if (*relay) {
    done =
        runRelay(arguments.kubeconfig, arguments.out, std::chrono::milliseconds(arguments.rtt_ms));
  } else if (*lists) {
    done = runLists(arguments.lists);
  } else if (*scrape) {
    done = printScrape(arguments);
  } else if (*difference) {
    done = printDifference(arguments);
  } else if (*audit) {
    done = printAudit(arguments);
  } else {
    done = printReport(arguments, missed);
  }
  return conclude(done, missed);
}

}  // namespace
}  // namespace vkb::load

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return vkb::load::app(argc, argv);
}
