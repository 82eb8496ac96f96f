// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.h"
#include "model/endpoint.h"
#include "model/labels.h"
#include "model/policy.h"
#include "model/selector.h"
#include "model/update.h"

namespace felix::model {

// A value as bytes and as the label sets and selectors that it shares with others. Equal values
// have equal parts, and the other way round.
class Packer {
 public:
  void Clear();
  void Number(std::uint64_t number);  // small ones are short
  void Text(std::string_view text);
  void Bytes(const void* data, std::size_t size);
  void Net(const Cidr& net);
  void Labels(const LabelSet& labels) { label_sets_.push_back(labels); }
  void Select(const Selector& selector) { selectors_.push_back(selector); }
  template <typename Range, typename Each>
  void All(const Range& range, Each each) {
    Number(range.size());
    for (const auto& element : range) each(element);
  }

  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] std::span<const LabelSet> label_sets() const { return label_sets_; }
  [[nodiscard]] std::span<const Selector> selectors() const { return selectors_; }

 private:
  std::string bytes_;
  std::vector<LabelSet> label_sets_;
  std::vector<Selector> selectors_;
};

// Reads what a Packer wrote, in the same order.
class Unpacker {
 public:
  Unpacker(std::string_view bytes, const LabelSet* label_sets, const Selector* selectors)
      : bytes_(bytes), label_sets_(label_sets), selectors_(selectors) {}

  std::uint64_t Number();
  template <typename T>
  T NumberAs() {
    return static_cast<T>(Number());
  }
  std::string Text();
  void Bytes(void* data, std::size_t size);
  Cidr Net();
  const LabelSet& Labels() { return *label_sets_++; }
  const Selector& Select() { return *selectors_++; }
  template <typename T, typename Each>
  std::vector<T> All(Each each) {
    std::vector<T> all;
    const std::uint64_t count = Number();
    all.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) all.push_back(each());
    return all;
  }

 private:
  std::string_view bytes_;
  const LabelSet* label_sets_;
  const Selector* selectors_;
};

void Pack(const WorkloadEndpoint& endpoint, Packer& packer);
void Pack(const NetworkSet& set, Packer& packer);
void Pack(const Policy& policy, Packer& packer);
void Pack(const Profile& profile, Packer& packer);
void Unpack(Unpacker& unpacker, WorkloadEndpoint& endpoint);
void Unpack(Unpacker& unpacker, NetworkSet& set);
void Unpack(Unpacker& unpacker, Policy& policy);
void Unpack(Unpacker& unpacker, Profile& profile);

// Keys as bytes that order as the keys do. Appended to what `bytes` holds.
void AppendKey(const WorkloadEndpointId& id, std::string& bytes);
void AppendKey(const NetworkSetId& id, std::string& bytes);
void AppendKey(const HostEndpointId& id, std::string& bytes);
void AppendKey(const PolicyId& id, std::string& bytes);
void AppendKey(const ProfileId& id, std::string& bytes);
void ReadKey(std::string_view bytes, WorkloadEndpointId& id);
void ReadKey(std::string_view bytes, NetworkSetId& id);
void ReadKey(std::string_view bytes, HostEndpointId& id);
void ReadKey(std::string_view bytes, PolicyId& id);
void ReadKey(std::string_view bytes, ProfileId& id);

}  // namespace felix::model
