// SPDX-License-Identifier: Apache-2.0
#include "CLI/CLI.hpp"

#include "felix/replay/command_line.h"
#include "felix/version.h"

namespace felix::replay {
namespace {

constexpr const char* kFooter = R"(
Inputs are recognised by what they hold: directories and files of resources in YAML or JSON,
`etcdctl get --prefix /calico -w json`, the gateway's answers, logs of watches, `etcdctl snapshot
save`; each also packed with gzip or zstd; - is standard input. Several are merged in order, and
what a later one says of an object counts.

Endpoints are named by any run of parts of host/orchestrator/namespace/workload/endpoint that only
one has (shop/web), or by an address.

Exit status: 0 done, 1 there is a difference, a finding or denied traffic, 2 wrong usage or an
input that cannot be read.)";

CLI::App* AddVerb(CLI::App& app, const char* name, const char* text, const char* examples) {
  CLI::App* const verb = app.add_subcommand(name, text);
  verb->footer(std::string("\nExamples:\n") + examples);
  return verb;
}

void AddSnapshotOptions(CLI::App& app, CommandLine& into) {
  app.add_flag("--lenient", into.input.snapshot.lenient,
               "pass over what is damaged, and tell how much it was");
  app.add_option("--rev", into.input.snapshot.revision, "as of this revision of etcd");
  app.add_option("--at", into.at, "as of this time (2026-01-31T12:00:00Z)");
  app.add_option("-c,--config-file", into.config_file, "a configuration file of felix");
  app.add_option("--set", into.settings, "a parameter of felix, Name=value")
      ->allow_extra_args(false);
}

void AddInputOptions(CLI::App& app, CommandLine& into) {
  app.add_option("-i,--input", into.input.paths, "a file or directory, - for standard input")
      ->required()
      ->allow_extra_args(false);
  AddSnapshotOptions(app, into);
}

void AddOutputOption(CLI::App& app, CommandLine& into) {
  app.add_option("-o,--output", into.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
}

void AddHostOptions(CLI::App& app, CommandLine& into) {
  app.add_option("--host", into.host, "the host that is asked about (default: the only one)");
  app.add_option("--interface", into.input.interfaces,
                 "an interface of the host, NAME[=ADDRESS,...] (default: those that its host "
                 "endpoints name)")
      ->allow_extra_args(false);
}

void AddFlowOptions(CLI::App& app, CommandLine& into) {
  app.add_option("--proto", into.flow.protocol, "protocol: a name or a number (default: tcp)");
  app.add_option("--port", into.flow.port, "port of the receiver, or type[/code] of ICMP");
  app.add_option("--source-port", into.flow.source_port,
                 "port of the sender (default: one that no rule names)");
}

void AddReceiver(CLI::App& app, CommandLine& into) {
  app.add_option("--to", into.flow.to, "the receiver: an endpoint or an address")->required();
}

void AddHostVerbs(CLI::App& app, CommandLine& into) {
  CLI::App* const info =
      AddVerb(app, "info", "what is inside of an input",
              "  felix-replay info -i backup.db\n"
              "  etcdctl get --prefix /calico -w json | felix-replay info -i -\n");
  AddInputOptions(*info, into);
  AddOutputOption(*info, into);

  CLI::App* const render =
      AddVerb(app, "render", "the firewall of a host, as the restore programs read it",
              "  felix-replay render -i backup.db --host node-1 --output-dir out\n"
              "  ipset restore < out/sets && iptables-legacy-restore --noflush < out/v4\n");
  AddInputOptions(*render, into);
  AddHostOptions(*render, into);
  AddOutputOption(*render, into);
  render->add_option("--output-dir", into.output_directory,
                     "write the files sets, v4 and v6 into this directory");

  CLI::App* const run = AddVerb(
      app, "run", "take a host through the history, and measure",
      "  felix-replay run -i backup.db --host node-1\n"
      "  sudo felix-replay run -i snapshot.json -i watch.log --host node-1 --live -o json\n");
  AddInputOptions(*run, into);
  AddHostOptions(*run, into);
  AddOutputOption(*run, into);
  run->add_flag("--live", into.live,
                "also write to the kernel of a network namespace made for it (needs root)");

  CLI::App* const plan =
      AddVerb(app, "plan", "what a change would do to a host, and which pairs it opens and closes",
              "  felix-replay plan -i backup.db --apply new-policies/ --host node-1\n"
              "  felix-replay plan -i yesterday.db --against today.db --host node-1\n"
              "  iptables-legacy-save > v4; ipset save > sets\n"
              "  felix-replay plan -i backup.db --host node-1 --kernel-v4 v4 --kernel-sets sets\n");
  AddInputOptions(*plan, into);
  AddHostOptions(*plan, into);
  AddOutputOption(*plan, into);
  plan->add_option("--apply", into.apply, "what is to be added to the input")
      ->allow_extra_args(false);
  plan->add_option("--against", into.against, "what is to be there instead of the input")
      ->allow_extra_args(false);
  plan->add_option("--kernel-v4", into.captured.v4, "what iptables-legacy-save printed there");
  plan->add_option("--kernel-v6", into.captured.v6, "what ip6tables-legacy-save printed there");
  plan->add_option("--kernel-sets", into.captured.sets, "what ipset save printed there");
}

void AddPolicyVerbs(CLI::App& app, CommandLine& into) {
  CLI::App* const explain =
      AddVerb(app, "explain", "may A reach B, and which rule says so on both hosts",
              "  felix-replay explain -i backup.db --from shop/web --to shop/db --port 5432\n"
              "  felix-replay explain -i backup.db --from 192.0.2.1 --to 10.65.0.2 --port 80 "
              "--exit-code\n");
  AddInputOptions(*explain, into);
  explain->add_option("--from", into.flow.from, "the sender: an endpoint or an address")
      ->required();
  AddReceiver(*explain, into);
  AddFlowOptions(*explain, into);
  AddOutputOption(*explain, into);
  explain->add_flag("--exit-code", into.exit_code, "end with 1 if the traffic is denied");

  CLI::App* const matrix =
      AddVerb(app, "matrix", "who reaches whom on one port",
              "  felix-replay matrix -i backup.db --port 80\n"
              "  felix-replay matrix -i backup.db --port 80 -o html > matrix.html\n"
              "  felix-replay matrix -i backup.db --port 80 --selector 'app == \"web\"' -o json\n");
  AddInputOptions(*matrix, into);
  matrix->add_option("--selector", into.selector, "only workloads that it selects");
  AddFlowOptions(*matrix, into);
  matrix->add_option("-o,--output", into.output, "text, json, svg or html")
      ->check(CLI::IsMember({"text", "json", "svg", "html"}));

  CLI::App* const who_can =
      AddVerb(app, "who-can", "which workloads may reach this one",
              "  felix-replay who-can -i backup.db --to shop/db --port 5432\n");
  AddInputOptions(*who_can, into);
  AddReceiver(*who_can, into);
  AddFlowOptions(*who_can, into);
  AddOutputOption(*who_can, into);
  who_can->add_flag("--exit-code", into.exit_code, "end with 1 if nobody may");

  CLI::App* const lint =
      AddVerb(app, "lint", "what in the policies is hardly what their authors meant",
              "  felix-replay lint -i policies/ -i backup.db\n");
  AddInputOptions(*lint, into);
  AddOutputOption(*lint, into);

  CLI::App* const bisect =
      AddVerb(app, "bisect", "since which step of the history traffic is denied, or allowed",
              "  felix-replay bisect -i backup.db --when 'deny(shop/web, shop/db, tcp, 5432)'\n");
  AddInputOptions(*bisect, into);
  bisect->add_option("--when", into.when, "deny(FROM, TO, PROTOCOL, PORT) or allow(…)")->required();
  AddOutputOption(*bisect, into);

  CLI::App* const convert =
      AddVerb(app, "convert", "the keys of etcd in an input in another form",
              "  felix-replay convert -i backup.db --rev 412 > resources/all.json\n"
              "  felix-replay convert -i backup.db --to etcd | zstd > listing.json.zst\n");
  AddInputOptions(*convert, into);
  convert->add_option("--to", into.form, "resources (one JSON object in each line) or etcd")
      ->check(CLI::IsMember({"resources", "etcd"}));

  CLI::App* const selector =
      AddVerb(app, "selector", "whether a selector selects labels, or where it cannot be read",
              "  felix-replay selector 'app in {\"web\", \"db\"}' --labels app=web,zone=a\n");
  selector->add_option("expression", into.selector, "the selector")->required();
  selector->add_option("--labels", into.labels, "the labels, name=value,...");
  AddOutputOption(*selector, into);
}

}  // namespace

std::unique_ptr<CLI::App> MakeOptionTable(CommandLine& into) {
  auto app = std::make_unique<CLI::App>(
      "Answers questions about a cluster's network policy from a snapshot of its datastore.",
      "felix-replay");
  app->footer(kFooter);
  app->set_version_flag("--version", std::string(BuildVersion().version), "print the version");
  app->require_subcommand(1, 1);
  AddHostVerbs(*app, into);
  AddPolicyVerbs(*app, into);
  app->add_subcommand("manual", "print the manual page")->group("");
  app->add_subcommand("completion", "print the completion for bash")->group("");
  return app;
}

}  // namespace felix::replay
