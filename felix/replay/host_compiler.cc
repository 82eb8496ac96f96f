// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/host_compiler.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::replay {
namespace {

absl::StatusOr<model::Update> ParseInterface(const std::string& text) {
  const std::size_t equals = text.find('=');
  model::Interface interface;
  if (equals != std::string::npos) {
    for (const auto part : absl::StrSplit(ToAbsl(text).substr(equals + 1), ',')) {
      const absl::StatusOr<model::IpAddress> address = model::IpAddress::Parse(ToStd(part));
      if (!address.ok()) {
        return absl::InvalidArgumentError(
            fmt::format("--interface {}: '{}' is no address", text, ToStd(part)));
      }
      interface.addresses.push_back(*address);
    }
    std::sort(interface.addresses.begin(), interface.addresses.end());
  }
  const std::string name = text.substr(0, equals);
  if (name.empty()) {
    return absl::InvalidArgumentError(fmt::format("--interface {}: no name", text));
  }
  return model::Update{model::InterfaceId{name}, std::move(interface)};
}

// Takes over what the updates say of the host's configuration; whether they say anything.
bool TakeConfigs(const std::vector<model::Update>& updates, const std::string& host,
                 ConfigSources& sources) {
  bool heard = false;
  for (const model::Update& update : updates) {
    const auto* id = std::get_if<model::ConfigId>(&update.key);
    if (id == nullptr || (!id->host.empty() && id->host != host)) continue;
    ConfigSources::Values& values = id->host.empty() ? sources.cluster : sources.host;
    values = update.value ? std::get<model::ConfigParameters>(*update.value).values
                          : ConfigSources::Values();
    heard = true;
  }
  return heard;
}

}  // namespace

Config ResolveConfig(ConfigSources local, const std::string& host,
                     const std::vector<model::Update>& updates) {
  local.command_line["FelixHostname"] = host;
  TakeConfigs(updates, host, local);
  return Config::Resolve(local);
}

HostCompiler::HostCompiler(std::string host, ConfigSources local,
                           std::vector<std::string> interfaces)
    : host_(std::move(host)), sources_(std::move(local)), named_interfaces_(std::move(interfaces)) {
  sources_.command_line["FelixHostname"] = host_;
}

void HostCompiler::AdoptShapeNumbers(std::array<compiler::NumbersByChain, 2> numbers) {
  adopted_ = std::move(numbers);
}

absl::Status HostCompiler::Take(const std::vector<model::Update>& updates) {
  const bool configured = TakeConfigs(updates, host_, sources_);
  if (graph_ == nullptr) {
    config_ = Config::Resolve(sources_);
    graph_ = std::make_unique<compiler::Graph>(config_.compiler);
    graph_->AdoptShapeNumbers(
        {{{.by_chain = adopted_[0], .elements = {}}, {.by_chain = adopted_[1], .elements = {}}}});
    std::vector<model::Update> links;
    for (const std::string& text : named_interfaces_) {
      FELIX_ASSIGN_OR_RETURN(links.emplace_back(), ParseInterface(text));
    }
    graph_->OnUpdates(links);
  } else if (configured) {
    config_ = Config::Resolve(sources_);
    if (config_.compiler != graph_->options()) graph_->SetOptions(config_.compiler);
  }
  if (named_interfaces_.empty() && !knows_interfaces_) {
    knows_interfaces_ = std::any_of(updates.begin(), updates.end(), [](const auto& update) {
      return std::holds_alternative<model::InterfaceId>(update.key);
    });
  }
  graph_->OnUpdates(updates);
  if (named_interfaces_.empty() && !knows_interfaces_) FollowHostEndpoints(updates);
  return absl::OkStatus();
}

void HostCompiler::FollowHostEndpoints(const std::vector<model::Update>& updates) {
  for (const model::Update& update : updates) {
    const auto* id = std::get_if<model::HostEndpointId>(&update.key);
    if (id == nullptr || id->host != host_ || !update.value) continue;
    const auto& endpoint = std::get<model::HostEndpoint>(*update.value);
    if (endpoint.interface_name.empty() || endpoint.IsWildcard()) continue;
    // An interface stays when its host endpoint goes, as it would there.
    const model::Update link{model::InterfaceId{endpoint.interface_name},
                             model::Interface{endpoint.expected_addresses}};
    graph_->OnUpdates({&link, 1});
  }
}

ir::DesiredDelta HostCompiler::Flush() {
  return graph_->Flush();
}

bool HostCompiler::OnApplied() {
  return graph_->OnApplied();
}

}  // namespace felix::replay
