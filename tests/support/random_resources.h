// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/update.h"
#include "tests/support/random.h"

namespace felix::testing {

// Values for the resources of a random cluster, drawn from alphabets of `breadth` letters or so.
// Each is one that validation would let through.
class RandomResources {
 public:
  RandomResources(Random& random, int breadth) : random_(random), breadth_(breadth) {}

  model::WorkloadEndpoint Endpoint(bool local);
  model::HostEndpoint HostEndpoint();
  std::string HostInterfaceName();
  model::Interface Interface();
  model::NetworkSet NetworkSet();
  model::IpPool IpPool();
  model::Node Node();
  model::Policy Policy(bool namespaced);
  model::BrokenPolicy BrokenPolicy();
  model::Tier Tier();
  model::Profile Profile();

  model::Selector Selector();
  std::vector<model::PolicyRule> Rules();
  std::string TierName();
  std::string ProfileName();

 private:
  model::PolicyRule Rule();
  model::EntityMatch Entity(const model::PolicyRule& rule);
  model::PortMatch Ports(bool numbers);
  model::Cidr Net();
  std::vector<model::Cidr> Nets(int most);
  model::IpAddress Address();
  model::LabelSet Labels(int chance);
  std::vector<std::string> Profiles();
  std::vector<model::NamedPort> NamedPorts();
  std::vector<model::IpAddress> HostAddresses(int most);
  std::string SelectorText(int depth);
  std::optional<double> Order();

  Random& random_;
  int breadth_;
};

}  // namespace felix::testing
