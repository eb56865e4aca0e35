// Mean and variance over records of which several threads have seen some each.

#ifndef INTERHAT_TF_KERNELS_MOMENTS_H_
#define INTERHAT_TF_KERNELS_MOMENTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace interhat {

// Mean and summed squared deviations of some numbers of a record, of some records.
struct Moments {
  std::vector<float> mean, deviations;
  int64_t records = 0;

  explicit Moments(int size) : mean(size), deviations(size) {}

  // Chan, Golub and LeVeque's update with those of other records.
  void add(const Moments& other) {
    if (!other.records) return;
    const double share = static_cast<double>(other.records) / (records + other.records);
    for (size_t n = 0; n < mean.size(); n++) {
      const double difference = static_cast<double>(other.mean[n]) - mean[n];
      mean[n] += difference * share;
      deviations[n] += other.deviations[n] + difference * difference * share * records;
    }
    records += other.records;
  }
};

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_MOMENTS_H_
