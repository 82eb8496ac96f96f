// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "compiler/graph.h"
#include "compiler/shape_numbers.h"
#include "felix/config.h"
#include "model/update.h"

namespace felix::replay {

// What one host would compile of a datastore, as felix does it there: its configuration follows
// what the datastore says. Of the host's interfaces those count that are named, or else those that
// its host endpoints name.
class HostCompiler {
 public:
  // `interfaces`: "eth0" or "eth0=10.0.0.1,fd00::1".
  HostCompiler(std::string host, ConfigSources local, std::vector<std::string> interfaces);

  // Numbers that shapes have already, see ShapeNumbersOf: only before the first step.
  void AdoptShapeNumbers(std::array<compiler::NumbersByChain, 2> numbers);
  // Hears one step of the history. Errors: an interface is not of that form.
  absl::Status Take(const std::vector<model::Update>& updates);
  // How the desired state changed since the last call.
  [[nodiscard]] ir::DesiredDelta Flush();
  // A kernel holds what was flushed. True if another Flush would have something to say.
  bool OnApplied();

  [[nodiscard]] const ir::DesiredState& desired() const { return graph_->desired(); }
  [[nodiscard]] const compiler::Graph& graph() const { return *graph_; }
  [[nodiscard]] const Config& config() const { return config_; }

 private:
  void FollowHostEndpoints(const std::vector<model::Update>& updates);

  std::string host_;
  ConfigSources sources_;
  std::vector<std::string> named_interfaces_;
  bool knows_interfaces_ = false;  // a recording tells of them
  std::array<compiler::NumbersByChain, 2> adopted_;
  Config config_;
  std::unique_ptr<compiler::Graph> graph_;  // from the first step on
};

// The configuration that felix has on a host whose datastore says this.
[[nodiscard]] Config ResolveConfig(ConfigSources local, const std::string& host,
                                   const std::vector<model::Update>& updates);

}  // namespace felix::replay
