import Pipeline
import Resilience
import Testing

@Suite struct AdmissionWordTests {
    @Test(arguments: [
        Admission.all, .none(retryAtNanoseconds: 0), .none(retryAtNanoseconds: 1 << 61), .probes(most: 0),
        .probes(most: 20), .share(0), .share(0.5), .share(1),
    ])
    func aWordIsReadAsItWasWritten(_ admission: Admission) {
        #expect(AdmissionWord.decode(AdmissionWord.encode(admission)) == admission)
    }

    @Test func whatCannotBeWrittenIsNearest() {
        #expect(AdmissionWord.decode(AdmissionWord.encode(.share(.nan))) == .share(0))
        #expect(AdmissionWord.decode(AdmissionWord.encode(.share(7))) == .share(1))
        #expect(AdmissionWord.decode(AdmissionWord.encode(.probes(most: -3))) == .probes(most: 0))
        #expect(
            AdmissionWord.decode(AdmissionWord.encode(.none(retryAtNanoseconds: .max)))
                == .none(retryAtNanoseconds: (1 << 62) - 1))
    }
}
