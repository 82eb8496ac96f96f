// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/render.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "fmt/format.h"

#include "felix/desired_totals.h"
#include "felix/json_line.h"
#include "ipset/restore_text.h"
#include "ipset/set_name.h"
#include "iptables/restore_text.h"
#include "model/base/status_macros.h"

namespace felix::replay {
namespace {

absl::Status WriteFile(const std::string& path, std::string_view content) {
  std::FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return absl::ErrnoToStatus(errno, fmt::format("write {}", path));
  const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  const bool closed = std::fclose(file) == 0;
  if (written && closed) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, fmt::format("write {}", path));
}

std::string Json(const ir::DesiredState& state, const Config& config) {
  JsonLine json;
  json.BeginObject();
  json.Field("schema", "felix-replay/render/1");
  json.Field("host", config.compiler.hostname);
  json.Key("sets").BeginArray();
  for (const auto& [key, set] : state.sets) {
    json.BeginObject();
    json.Field("family", key.family == model::IpFamily::kV4 ? "ipv4" : "ipv6");
    json.Field("id", key.id);
    json.Field("name", ipset::KernelSetName(key));
    json.Field("type", set.kind == ir::SetKind::kNet ? "hash:net" : "hash:ip,port");
    json.Key("members").BeginArray();
    for (const ir::SetMember& member : set.members) json.Element(member.ToString());
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.Key("mark_maps").BeginArray();
  for (const auto& [key, map] : state.mark_maps) {
    json.BeginObject();
    json.Field("family", key.family == model::IpFamily::kV4 ? "ipv4" : "ipv6");
    json.Field("name", ipset::KernelSetName(key));
    json.Field("mask", std::uint64_t{map.mask});
    json.Key("members").BeginArray();
    for (const auto& [at, value] : map.values) {
      json.BeginObject();
      json.Field("address", at.address.ToString());
      json.Field("interface", at.interface_name);
      json.Field("mark", std::uint64_t{value});
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.Key("rules").BeginArray();
  const auto write = [&](model::IpFamily family, ir::Table table, std::string_view chain,
                         const ir::Rule& rule) {
    json.BeginObject();
    json.Field("family", family == model::IpFamily::kV4 ? "ipv4" : "ipv6");
    json.Field("table", ir::TableName(table));
    json.Field("chain", chain);
    json.Field("rule", iptables::RestoreRule(rule, family, ipset::KernelSetName));
    json.Field("owner", rule.provenance.owner);
    if (rule.provenance.direction) {
      const bool ingress = *rule.provenance.direction == ir::Direction::kIngress;
      json.Field("direction", ingress ? "ingress" : "egress");
    }
    if (rule.provenance.rule_index >= 0) {
      json.Field("index", static_cast<std::uint64_t>(rule.provenance.rule_index));
    }
    json.EndObject();
  };
  for (const auto& [key, rules] : state.hooks) {
    for (const ir::Rule& rule : rules) {
      write(key.family, key.table, ir::BaseChainName(key.base), rule);
    }
  }
  for (const auto& [key, chain] : state.chains) {
    for (const ir::Rule& rule : chain.rules) write(key.family, key.table, key.name, rule);
  }
  json.EndArray();
  json.EndObject();
  return json.Text() + "\n";
}

}  // namespace

RestoreFiles MakeRestoreFiles(const ir::DesiredState& state, const Config& config) {
  return {ipset::RestoreText(state, config.max_ipset_size),
          iptables::RestoreText(state, model::IpFamily::kV4, ipset::KernelSetName),
          iptables::RestoreText(state, model::IpFamily::kV6, ipset::KernelSetName)};
}

absl::StatusOr<Answer> Render(const Cluster& cluster, const std::string& host,
                              const std::string& output_directory, Output output) {
  FELIX_ASSIGN_OR_RETURN(const ir::DesiredState state, cluster.Compile(host));
  const Config config = cluster.ConfigOf(host);
  if (output == Output::kJson) return Answer{Json(state, config), kDone};
  const RestoreFiles files = MakeRestoreFiles(state, config);
  if (output_directory.empty()) {
    return Answer{fmt::format("# ipset restore\n{}# iptables-legacy-restore --noflush\n{}"
                              "# ip6tables-legacy-restore --noflush\n{}",
                              files.sets, files.v4, files.v6),
                  kDone};
  }
  std::error_code error;
  std::filesystem::create_directories(output_directory, error);
  if (error) {
    return absl::UnavailableError(
        fmt::format("make directory {}: {}", output_directory, error.message()));
  }
  FELIX_RETURN_IF_ERROR(WriteFile(output_directory + "/sets", files.sets));
  FELIX_RETURN_IF_ERROR(WriteFile(output_directory + "/v4", files.v4));
  FELIX_RETURN_IF_ERROR(WriteFile(output_directory + "/v6", files.v6));
  const DesiredTotals totals = Count(state);
  return Answer{fmt::format("{}: sets, v4 and v6 for {}: {} rules in {} chains, {} sets with {} "
                            "members\n",
                            output_directory, host, totals.rules, totals.chains, totals.sets,
                            totals.set_members),
                kDone};
}

}  // namespace felix::replay
