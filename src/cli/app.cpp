#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "cli/commands.h"
#include "cli/limit_flag.h"

namespace vkb::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kUsage = 2;

struct Arguments {
  CommonOptions common;
  JoinOptions join;
  std::vector<std::string> allow_namespaces;
  std::string namespace_strategy, pod_ip, service_accounts, home_api_server, existing_objects;
  std::vector<std::string> node_selector, tolerations, allow_node_selector, allow_tolerations;
  std::vector<std::string> limits;
  std::string labels, claim_namespace, on_delegate_lost, when_unreachable, metrics;
  RunOptions run;
  std::string status_format = "table";
  StatusOptions status;
  std::string explain_format = "yaml";
  ExplainOptions explain;
  LeaveOptions leave;
  GcOptions gc;
  std::int64_t leave_timeout_seconds = 300;
};

void addCommon(CLI::App& command, CommonOptions& common) {
  const char* group = "Common options";
  command
      .add_option(
          "--home-kubeconfig", common.home_kubeconfig,
          "kubeconfig of the home cluster (default: $KUBECONFIG, ~/.kube/config, in-cluster)")
      ->group(group);
  command.add_option("--state-dir", common.state_dir, "state folder")
      ->envname("VK_BRIDGE_STATE_DIR")
      ->group(group);
  command.add_option("--log-level", common.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->group(group);
  command.add_option("--log-format", common.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->group(group);
}

/// How home pods become delegates.
void addPodFlags(CLI::App& join, Arguments& arguments) {
  join.add_option("--namespace-strategy", arguments.namespace_strategy,
                  "where pods go: 'same' (default), one namespace of the same name; "
                  "'prefix[=TEXT]', TEXT-<namespace>; 'single[=NAMESPACE]', all into one");
  join.add_option("--node-selector", arguments.node_selector,
                  "key=value,... that every delegate asks of the target's nodes")
      ->delimiter(',');
  join.add_option("--toleration", arguments.tolerations,
                  "key[=value]:Effect,... that every delegate has")
      ->delimiter(',');
  join.add_option("--allow-node-selector", arguments.allow_node_selector,
                  "keys (globs) by which pods may choose among the target's nodes, in annotation "
                  "clusterSelector or in their own spec (default: any in clusterSelector, none in "
                  "the spec)")
      ->delimiter(',');
  join.add_option("--allow-tolerations", arguments.allow_tolerations,
                  "the same for taints that pods may tolerate there")
      ->delimiter(',');
  join.add_option("--pod-ip", arguments.pod_ip,
                  "'verbatim' (default) shows the delegates' pod IPs at home, 'hidden' does not")
      ->check(CLI::IsMember({"verbatim", "hidden"}));
  join.add_option("--service-accounts", arguments.service_accounts,
                  "who delegates are to an API server: 'none' (default), nobody; 'target', the "
                  "target's account of the same name; 'home', the pod's own account at home's API "
                  "server")
      ->check(CLI::IsMember({"none", "target", "home"}));
  join.add_option("--home-api-server", arguments.home_api_server,
                  "https://HOST[:PORT] of home's API server as pods in the target reach it, for "
                  "--service-accounts=home (default: as the home kubeconfig says)");
  join.add_option("--existing-objects", arguments.existing_objects,
                  "ConfigMaps, Secrets and claims that others put into the target under the name "
                  "that a pod refers to: 'refuse' (default) or 'use'")
      ->check(CLI::IsMember({"refuse", "use"}));
}

CLI::App* addJoin(CLI::App& app, Arguments& arguments) {
  CLI::App* join = app.add_subcommand("join", "Register a target cluster as a virtual node");
  join->add_option("NAME", arguments.join.name, "name of the cluster and of its node")->required();
  join->add_option("--kubeconfig", arguments.join.kubeconfig, "kubeconfig of the target")
      ->required();
  join->add_option("--context", arguments.join.context, "context in it (default: its current one)");
  join->add_option("--allow-namespace", arguments.allow_namespaces,
                   "namespaces of the target that exist already and that pods may go to; globs, "
                   "separated by commas")
      ->delimiter(',');
  join->add_option("--labels", arguments.labels,
                   "in such namespaces: 'rekey' (default) hides the pods' labels from the target's "
                   "Services and controllers, 'keep' leaves them")
      ->check(CLI::IsMember({"rekey", "keep"}));
  addPodFlags(*join, arguments);
  join->add_option("--on-delegate-lost", arguments.on_delegate_lost,
                   "a delegate deleted in the target: 'fail' (default) its home pod, or 'recreate' "
                   "it (restartPolicy Always only)")
      ->check(CLI::IsMember({"fail", "recreate"}));
  join->add_option("--when-unreachable", arguments.when_unreachable,
                   "while the target does not answer, its node is 'not-ready' (default: Kubernetes "
                   "evicts its pods after their tolerations) or on 'hold' (nothing is evicted)")
      ->check(CLI::IsMember({"not-ready", "hold"}));
  join->add_option("--metrics", arguments.metrics,
                   "for kubectl top: 'api' (default) asks the target's metrics.k8s.io, 'nodes' its "
                   "nodes' kubelets, which needs the right nodes/proxy")
      ->check(CLI::IsMember({"api", "nodes"}));
  join->add_option("--claim-namespace", arguments.claim_namespace,
                   "namespace of the target for the Lease that keeps other bridges away (default: "
                   "vk-bridge)");
  join->add_option("--limit", arguments.limits,
                   "resource=quantity,...: at most so much of the target is offered at home")
      ->delimiter(',');
  join->add_flag(
      "--different-cluster", arguments.join.different_cluster,
      "the name stands for another cluster from now on: pods of the former one are lost");
  join->add_flag("--take-over", arguments.join.take_over,
                 "take the target from another installation that holds it");
  join->footer(
      "Checks both clusters, versions and permissions, then records the target. A running bridge\n"
      "serves it at once. Again with the same name: updates credentials and options, touches no "
      "pod.\n"
      "Example:  vk-bridge join gpu-eu --kubeconfig gpu-eu.yaml --allow-namespace default,team-*");
  return join;
}

CLI::App* addRun(CLI::App& app, Arguments& arguments) {
  CLI::App* run = app.add_subcommand("run", "Serve every joined cluster until SIGTERM");
  run->add_option("--listen", arguments.run.listen, "address of /metrics, /healthz and /readyz")
      ->capture_default_str();
  run->add_option("--node-address", arguments.run.node_address,
                  "InternalIP of the virtual nodes (default: this machine's towards home)");
  bridge::KubeletOptions& kubelet = arguments.run.kubelet;
  run->add_option("--kubelet-port-base", kubelet.port_base,
                  "first port for the nodes' kubelet APIs (logs, exec, …); a node keeps the one it "
                  "got first")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  CLI::Option* cert = run->add_option(
      "--kubelet-cert", kubelet.cert_file,
      "their serving certificate, read again when it changes (default: self-signed, one a node)");
  CLI::Option* key = run->add_option("--kubelet-key", kubelet.key_file, "and its private key");
  cert->needs(key);
  key->needs(cert);
  run->add_option("--kubelet-client-ca", kubelet.client_ca_file,
                  "authorities of their client certificates (default: home's own, from "
                  "kube-system/extension-apiserver-authentication)");
  run->add_flag(
      "--kubelet-anonymous", kubelet.anonymous,
      "let who shows neither certificate nor token be system:anonymous there, for home to "
      "decide on (default: refused)");
  return run;
}

CLI::App* addStatus(CLI::App& app, Arguments& arguments) {
  CLI::App* status =
      app.add_subcommand("status", "Clusters, and which delegate stands for which home pod");
  status->add_option("WHAT", arguments.status.filter,
                     "CLUSTER, or NAMESPACE/POD for all about one pod");
  status->add_option("-o,--output", arguments.status_format, "table, wide, json or yaml")
      ->check(CLI::IsMember({"table", "wide", "json", "yaml"}));
  status->footer("Reads the state folder; works while no bridge runs, and says so then.");
  return status;
}

CLI::App* addGc(CLI::App& app, Arguments& arguments) {
  CLI::App* gc = app.add_subcommand(
      "gc", "Delete what is left in the targets of nodes that are no longer joined");
  gc->add_flag("--dry-run", arguments.gc.dry_run, "only list it");
  gc->add_flag("--namespaces", arguments.gc.namespaces,
               "also namespaces that the bridge made and that are empty; asks first");
  gc->add_flag("--confirm", arguments.gc.confirm,
               "tell the running bridge that the delegates it misses (state MassLoss) are gone");
  gc->footer("Each home pod is looked up first: what one still needs stays.");
  return gc;
}

CLI::App* addExplain(CLI::App& app, Arguments& arguments) {
  CLI::App* explain = app.add_subcommand(
      "explain", "What a pod looks like in the target cluster, and why it differs from home's");
  CLI::Option* pod = explain->add_option("POD", arguments.explain.pod, "NAMESPACE/POD of home");
  CLI::Option* file =
      explain->add_option("-f,--filename", arguments.explain.file,
                          "a Pod in a file, YAML or JSON, instead of one of home ('-': stdin)");
  file->excludes(pod);
  explain->add_option("--cluster", arguments.explain.cluster,
                      "the joined cluster (default: the one whose node the pod is bound to)");
  explain->add_option("-o,--output", arguments.explain_format, "yaml, json or diff")
      ->check(CLI::IsMember({"yaml", "json", "diff"}));
  explain->footer(
      "Changes nothing and works while no bridge runs. The target is asked whose the namespace "
      "is.\n"
      "Example:  vk-bridge explain -f pod.yaml --cluster gpu-eu -o diff");
  return explain;
}

CLI::App* addLeave(CLI::App& app, Arguments& arguments) {
  CLI::App* leave = app.add_subcommand("leave", "Let go of a target cluster and remove its node");
  leave->add_option("NAME", arguments.leave.name, "the joined cluster")->required();
  CLI::Option* drain = leave->add_flag("--drain", arguments.leave.drain,
                                       "evict its pods first; PodDisruptionBudgets are respected");
  leave
      ->add_flag("--force", arguments.leave.force,
                 "the target no longer exists: home pods are failed and removed, what may still "
                 "run there is listed")
      ->excludes(drain);
  leave
      ->add_option("--timeout", arguments.leave_timeout_seconds,
                   "how long to wait, in seconds or as 5m")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, std::int64_t>{{"s", 1}, {"m", 60}, {"h", 3600}}));
  leave->footer("Without --drain it refuses while pods are bound to the node.");
  return leave;
}

int fail(const Status& status, int code) {
  std::fprintf(stderr, "vk-bridge: %s\n", status.message.c_str());
  return code;
}

/// Before any thread exists: `run` waits for these itself, and every thread inherits the mask.
void blockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void finishJoin(Arguments& arguments, const CLI::App& join) {
  if (join.count("--allow-namespace") > 0) {
    arguments.join.allow_namespaces = arguments.allow_namespaces;
  }
  if (join.count("--labels") > 0) arguments.join.keep_labels = arguments.labels == "keep";
  PodFlags& pods = arguments.join.pods;
  const auto take = [&](const char* flag, const auto& value, auto& into) {
    if (join.count(flag) > 0) into = value;
  };
  take("--namespace-strategy", arguments.namespace_strategy, pods.namespace_strategy);
  take("--node-selector", arguments.node_selector, pods.node_selector);
  take("--toleration", arguments.tolerations, pods.tolerations);
  take("--allow-node-selector", arguments.allow_node_selector, pods.allow_node_selector);
  take("--allow-tolerations", arguments.allow_tolerations, pods.allow_tolerations);
  take("--pod-ip", arguments.pod_ip, pods.pod_ip);
  take("--service-accounts", arguments.service_accounts, pods.service_accounts);
  take("--home-api-server", arguments.home_api_server, pods.home_api_server);
  take("--existing-objects", arguments.existing_objects, pods.existing_objects);
  if (join.count("--on-delegate-lost") > 0) {
    arguments.join.recreate_lost = arguments.on_delegate_lost == "recreate";
  }
  if (join.count("--when-unreachable") > 0) {
    arguments.join.hold_unreachable = arguments.when_unreachable == "hold";
  }
  if (join.count("--metrics") > 0) {
    arguments.join.metrics_from_nodes = arguments.metrics == "nodes";
  }
  if (join.count("--claim-namespace") > 0) {
    arguments.join.claim_namespace = arguments.claim_namespace;
  }
}

/// Flags that mean nothing are wrong usage, found before anything is connected to.
Result<void> checkJoin(Arguments& arguments, const CLI::App& join) {
  JoinOptions& options = arguments.join;
  if (auto name = state::checkClusterName(options.name); !name) return name;
  if (auto pods = applyPodFlags(options.pods, {}, ""); !pods) return failure(pods.error());
  if (join.count("--limit") == 0) return {};
  auto limits = parseLimits(arguments.limits);
  if (!limits) return failure(limits.error());
  options.limits = std::move(*limits);
  return {};
}

}  // namespace

int app(int argc, char** argv) {
  // A peer that closes must never end the process (Poco blocks SIGPIPE only once it is loaded).
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App parser{
      "vk-bridge makes whole Kubernetes clusters look like nodes of this one.\n\n"
      "First use:\n"
      "  vk-bridge join gpu-eu --kubeconfig gpu-eu.yaml   # register a target cluster\n"
      "  vk-bridge run                                    # serve it\n"
      "  vk-bridge status                                 # see what runs where",
      "vk-bridge"};
  parser.require_subcommand(1);
  parser.set_version_flag("--version", productVersion());
  Arguments arguments;
  CLI::App* join_command = addJoin(parser, arguments);
  CLI::App* run_command = addRun(parser, arguments);
  CLI::App* status_command = addStatus(parser, arguments);
  CLI::App* explain_command = addExplain(parser, arguments);
  CLI::App* leave_command = addLeave(parser, arguments);
  CLI::App* gc_command = addGc(parser, arguments);
  CLI::App* version_command = parser.add_subcommand("version", "Print the version");
  for (CLI::App* command : {join_command, run_command, status_command, explain_command,
                            leave_command, gc_command, version_command}) {
    addCommon(*command, arguments.common);
  }
  try {
    parser.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return parser.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return parser.exit(version);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "vk-bridge: %s; see: vk-bridge --help\n", error.what());
    return kUsage;
  }
  if (*version_command) {
    std::printf("%s\n", productVersion().c_str());
    return kDone;
  }

  if (*join_command) {
    finishJoin(arguments, *join_command);
    if (auto checked = checkJoin(arguments, *join_command); !checked) {
      return fail(checked.error(), kUsage);
    }
  }
  if (*explain_command && arguments.explain.pod.empty() && arguments.explain.file.empty()) {
    return fail(invalid("explain takes NAMESPACE/POD, or -f FILE --cluster NAME").value(), kUsage);
  }

  if (*run_command) blockSignals();
  Session session(arguments.common);
  Result<void> done;
  if (*join_command) {
    done = join(session, arguments.join);
  } else if (*run_command) {
    done = run(session, arguments.run);
  } else if (*status_command) {
    arguments.status.format =
        parseStatusFormat(arguments.status_format).value_or(StatusFormat::kTable);
    done = status(session, arguments.status);
  } else if (*gc_command) {
    done = gc(session, arguments.gc);
  } else if (*explain_command) {
    arguments.explain.format =
        parseExplainFormat(arguments.explain_format).value_or(ExplainFormat::kYaml);
    done = explain(session, arguments.explain);
  } else {
    arguments.leave.timeout = std::chrono::seconds(arguments.leave_timeout_seconds);
    done = leave(session, arguments.leave);
  }
  return done ? kDone : fail(done.error(), kFailed);
}

}  // namespace vkb::cli
