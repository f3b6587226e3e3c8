import com.pixelmed.validate.DicomSRValidator;

/** PixelMed's validator on many files in one JVM: its own program takes one, and compiles its rules each time. */
public class SrValidator {
    public static void main(String[] files) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String file : files) {
            System.out.println("== " + file);
            System.out.println(validator.validate(file));
        }
    }
}
